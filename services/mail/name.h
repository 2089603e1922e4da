/*
 * name: the file names of messages.  They sort by arrival, are unique across processes and
 * machines, and hold what the header line of a message says, so that the file itself is the
 * message and nothing else:
 *
 *   SECONDS.NANOSECONDS.UNIQUE,F=SENDER,S=BYTES,D=SECONDS
 *
 * UNIQUE is P and the process, N and the attempt, R and 64 random bits, a dot and the host's
 * name.  While a message is being written its file in tmp/ has the first part only.
 */
#ifndef SERVICES_MAIL_NAME_H
#define SERVICES_MAIL_NAME_H

#include "services/mail/login.h"

#include <stdint.h>

#define NAME_UNIQUE_SIZE 96
#define NAME_SIZE 224
#define NAME_HEADER_SIZE 96

#define NAME_NS_PER_S INT64_C(1000000000)

struct name {
	int64_t key_ns; /* what names sort by: wall clock, or more where that went back */
	char unique[NAME_UNIQUE_SIZE];
	char sender[LOGIN_SIZE];
	uint64_t bytes;
	int64_t date_s; /* when it arrived, wall clock */
};

/* The wall clock. */
int64_t name_now_ns(void);

/* Writes a UNIQUE that nobody else has; attempt counts those that this process made before. */
void name_unique(unsigned attempt, char unique[NAME_UNIQUE_SIZE]);

/* Writes the name of the file in tmp/. */
void name_format_tmp(int64_t now_ns, const char *unique, char text[NAME_SIZE]);

/* Writes the name of the file in new/. */
void name_format(const struct name *name, char text[NAME_SIZE]);

/* Reads what name_format() wrote.  Returns 0, or -1 where text is no such name. */
int name_parse(const char *text, struct name *name);

/*
 * Writes "FROM sender DATE 2026-11-20T15:16:00Z BYTES 123\n" and returns its length.
 */
size_t name_header(const struct name *name, uint64_t bytes, char line[NAME_HEADER_SIZE]);

#endif
