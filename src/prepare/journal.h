/* Journal: what a preparation has finished so far, so that one that was interrupted continues.
 * Entries count in batches: a batch is on the disk, with its checksum, or it is not there. */
#ifndef ELMPI_PREPARE_JOURNAL_H
#define ELMPI_PREPARE_JOURNAL_H

#include <stdbool.h>
#include <stdint.h>

#include "elmpi/store.h"

typedef struct elm_journal elm_journal;

/** A line: a shard that is complete (name NULL), or an image that is sound and has its place. */
typedef struct elm_journal_entry {
    int shard;
    int64_t shard_bytes; /* of a shard */
    bool copied;         /* of a shard: written by this preparation */
    const char *path;    /* of a shard */
    const char *name;    /* of an image */
    elm_store_place place;
} elm_journal_entry;

/** Opens or begins the journal at `path`. `request` describes, in lines, what is being prepared
 * from what: a journal of another request is an error, or, with `force`, is discarded together with
 * the shards that it records as copied (in `folder`).
 *  Owns:   the caller finishes or closes */
int elm_journal_open(elm_journal **journal, const char *path, const char *request,
                     const char *folder, bool force, elm_error *err);

/** Hands out what an interrupted preparation has left, one entry a call, in order; false after
 * the last. Texts are borrowed until the next call. */
bool elm_journal_read(elm_journal *journal, elm_journal_entry *entry);

/** Appends to the batch. */
int elm_journal_add(elm_journal *journal, const elm_journal_entry *entry, elm_error *err);
/** Writes the batch to the disk. */
int elm_journal_commit(elm_journal *journal, elm_error *err);

/** Forgets all: begins anew. For a journal whose shards are gone. */
int elm_journal_clear(elm_journal *journal, elm_error *err);
/** Closes it; it stays for the next try, unless it holds nothing. Accepts NULL. */
void elm_journal_close(elm_journal *journal);
/** Closes and removes it. */
void elm_journal_finish(elm_journal *journal);

#endif
