/*
 * superctl_text: figures as people read them.
 */
#ifndef SUPERD_SUPERCTL_TEXT_H
#define SUPERD_SUPERCTL_TEXT_H

#define TEXT_SIZE 32

/* "0.3s", "12s", "5m12s", "3h20m", "4d3h"; two units at most. Returns text. */
char *text_duration(double seconds, char text[TEXT_SIZE]);

/* The same in whole seconds, rounded down: "0s" too. */
char *text_seconds(double seconds, char text[TEXT_SIZE]);

/* "512B", "1.6M", "340K", "12G". */
char *text_size(double bytes, char text[TEXT_SIZE]);

/* "0", "0.4", "12", "1200": a rate a second. */
char *text_rate(double rate, char text[TEXT_SIZE]);

#endif
