/* List of inputs: what the words of a command line stand for, image by image. */
#ifndef ELMPI_PREDICT_LIST_INPUTS_H
#define ELMPI_PREDICT_LIST_INPUTS_H

#include "elmpi/comm.h"
#include "predict/image_list.h"

/** Lists the images of each input: a JPEG or PNG file, a folder (all below it), an archive, a
 * list file (a path a line), "-" (the same from standard input). What an input is follows from its
 * first bytes and its name. Rank 0 looks, and all get the list.
 *  Ranks:  collective: errors agreed
 *  Owns:   the caller calls elm_image_list_release, also after an error
 *  Errors: ELM_EXIT_USAGE for an input that is not there or none of these; ELM_EXIT_FAILURE for a
 *          broken archive, an unreadable folder, and where there is no image at all */
int elm_image_list_make_all(elm_comm *comm, const char *const *inputs, int count,
                            elm_image_list *list, elm_error *err);

#endif
