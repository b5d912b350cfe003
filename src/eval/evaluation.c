#include "elmpi/evaluation.h"

#include "eval/classifiers/rows.h"

int elm_evaluation_count_all(elm_net *net, const elm_dataset *dataset, elm_comm *comm,
                             const volatile sig_atomic_t *stop, const elm_log *log,
                             elm_recall_counts *tally, elm_error *err)
{
    const elm_classifier_input input = {
        .net = net, .test = dataset, .comm = comm, .stop = stop, .log = log};
    return elm_fc_count_all(&input, tally, err);
}
