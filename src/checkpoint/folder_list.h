/* Folder list: what a run folder holds, by its files' names. */
#ifndef ELMPI_CHECKPOINT_FOLDER_LIST_H
#define ELMPI_CHECKPOINT_FOLDER_LIST_H

#include <stdbool.h>
#include <stdint.h>

#include "elmpi/status.h"

enum { ELM_ENTRY_SIZE = 64 };

typedef struct elm_checkpoint_entry {
    int run;
    int64_t step;
    char name[ELM_ENTRY_SIZE];
} elm_checkpoint_entry;

typedef struct elm_folder_list {
    elm_checkpoint_entry *checkpoints; /* newest (highest run, then step) first */
    int checkpoint_count;
    int *claims; /* run numbers, in no order */
    int claim_count;
    int best_run;               /* highest run number of best-<run>-<step>.h5; 0: none */
    char trace[ELM_ENTRY_SIZE]; /* an entry left by an earlier run, or empty */
} elm_folder_list;

/** Whether that is the name of a run's checkpoint, checkpoint-<run>-<step>.h5, and nothing that
 * merely begins like it. */
bool elm_checkpoint_entry_parse(const char *name, elm_checkpoint_entry *entry);

/** The same of best-<run>-<step>.h5. */
bool elm_best_entry_parse(const char *name, elm_checkpoint_entry *entry);

/** Owns:   *list to be freed with elm_folder_list_free, also after an error */
int elm_folder_list_read(const char *folder, elm_folder_list *list, elm_error *err);
void elm_folder_list_free(elm_folder_list *list);

/** The highest run number that claims, checkpoints or best ones show; 0 if none. */
int elm_folder_list_highest(const elm_folder_list *list);

/** The best checkpoint of that step by the latest of the runs 1..run. */
bool elm_folder_find_best(const char *folder, int run, int64_t step, elm_checkpoint_entry *best);

/** The one that best.h5 leads to; false: it leads to none. */
bool elm_folder_linked_best(const char *folder, elm_checkpoint_entry *best);

/** Deletes all best checkpoints but that one. What cannot be deleted costs space, not the run. */
void elm_folder_delete_other_best(const char *folder, const elm_checkpoint_entry *best);

/** Removes what writers that died left unfinished. */
void elm_folder_clean(const char *folder);

#endif
