/*
 * conf_text: a configuration from a text, for tests of what a load leaves and of what uses it.
 */
#ifndef TESTS_UNIT_CONF_TEXT_H
#define TESTS_UNIT_CONF_TEXT_H

#include "superd/conf.h"

/* A folder of its own for the files of a test. */
struct conf_text_folder {
	char path[64];
};

/* Makes the folder; fails the test where it cannot. */
void conf_text_begin(struct conf_text_folder *folder);

/* Writes a file into it. */
void conf_text_write(const struct conf_text_folder *folder, const char *name, const char *content);

/*
 * Loads the file of that name; superd's working directory is the folder meanwhile, so that
 * positions say the bare name.  Fails the test where the load does.
 */
const struct conf *conf_text_load(const struct conf_text_folder *folder, const char *name);

/* Removes the folder and all in it. */
void conf_text_end(const struct conf_text_folder *folder);

/* The service of that name. */
const struct conf_service *conf_text_service(const struct conf *conf, const char *name);

#endif
