#include <stddef.h>

#include "elmpi/run_folder.h"

const elm_option elm_checkpoint_option_rows[] = {
    {"checkpoint.every_epochs", ELM_OPTION_REAL, offsetof(elm_checkpoint_options, every_epochs),
     "1", 0, 1e9, NULL, NULL, NULL,
     "write a checkpoint every so many epochs; 0: not by epochs. The end of the run and a stop "
     "signal always write one"},
    {"checkpoint.every_minutes", ELM_OPTION_REAL, offsetof(elm_checkpoint_options, every_minutes),
     "0", 0, 1e9, NULL, NULL, NULL,
     "write one whenever so many minutes have passed since the last, in mid-epoch too; 0: not by "
     "the clock"},
    {"checkpoint.keep", ELM_OPTION_INT, offsetof(elm_checkpoint_options, keep), "3", 0, 1e9, NULL,
     NULL, NULL, "number of newest checkpoints to keep; 0: all"},
    {"checkpoint.bank", ELM_OPTION_BOOL, offsetof(elm_checkpoint_options, bank), "true", 0, 0, NULL,
     NULL, "loss.scope=bank",
     "keep the memory bank in checkpoints, so that a resumed run goes on bit for bit; it adds "
     "images * embedding width * 4 bytes (2 in "
     "bf16). "
     "false: a resumed run makes it anew by a pass over the training set, without augmentation"},
    {"checkpoint.best", ELM_OPTION_CHOICE, offsetof(elm_checkpoint_options, best), "none", 0, 0,
     "none|holdout", NULL, NULL,
     "holdout: keep the checkpoint with the highest balanced accuracy on the held-out images too, "
     "of all that run.evaluate_every_epochs evaluates: best.h5. It needs data.holdout. The test "
     "set has no part in it; the last checkpoint stays what a run is resumed from and reported by"},
    {"checkpoint.early_stop", ELM_OPTION_REAL, offsetof(elm_checkpoint_options, early_stop), "0", 0,
     1e9, NULL, NULL, "checkpoint.best=holdout",
     "end the run at an evaluation where the best one is so many epochs ago; 0: never. The "
     "schedule does not know of it: a rate that falls late needs its whole length"},
    {0},
};
