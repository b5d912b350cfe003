#include "newest.h"

#include "elmpi/run_folder.h"

void elm_warn_unless_newest(const elm_log *log, const char *path, const elm_checkpoint *checkpoint)
{
    char newer[256];
    if (elm_run_folder_has_newer(path, checkpoint->step, newer, sizeof newer))
        elm_log_warn(log,
                     "this is not the newest checkpoint of its folder, which is %s (the run was "
                     "stopped between the two, or is at work): name that one, or let elmpi-train "
                     "--resume mend the folder",
                     newer);
}
