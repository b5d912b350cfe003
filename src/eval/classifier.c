#include "elmpi/classifier.h"

#include <stdio.h>
#include <string.h>

#include "eval/classifiers/rows.h"

#ifdef ELMPI_HAVE_SCALAPACK
#define elm_lda_row elm_lda_count_all
#else
#define elm_lda_row NULL
#endif

const elm_classifier elm_classifiers[] = {
    {"fc", "the network's own last layer, largest logit", 0, elm_fc_count_all},
    {"posthoc-la", "f - tau log pi, tau 1 unless --tau says otherwise (Menon et al. 2021)",
     ELM_CLASSIFIER_TAU, elm_posthoc_la_count_all},
    {"tau-norm",
     "w / |w|^tau, no bias (Kang et al. 2020); tau of 0, 0.1, .. 2 chosen on --select-on, or --tau",
     ELM_CLASSIFIER_TAU | ELM_CLASSIFIER_SELECTION, elm_tau_norm_count_all},
    {"ncm", "nearest class mean of centered embeddings of length 1 (Kang et al. 2020)",
     ELM_CLASSIFIER_TRAIN, elm_ncm_count_all},
    {"knn", "most of the --k nearest training embeddings, by --distance",
     ELM_CLASSIFIER_TRAIN | ELM_CLASSIFIER_NEIGHBORS, elm_knn_count_all},
    {"lda",
     "linear discriminant analysis: w = S^-1 mu, uniform prior (ELM, section 4.2); covariance S "
     "shrunk by --epsilon; wants ScaLAPACK",
     ELM_CLASSIFIER_TRAIN | ELM_CLASSIFIER_SHRINKAGE, elm_lda_row},
    {NULL, NULL, 0, NULL},
};
enum { CLASSIFIERS = sizeof elm_classifiers / sizeof elm_classifiers[0] - 1 };

const elm_classifier *elm_classifier_find(const char *name, elm_error *err)
{
    const char *names[CLASSIFIERS];
    for (int i = 0; i < CLASSIFIERS; i++) {
        if (strcmp(elm_classifiers[i].name, name) == 0 && elm_classifiers[i].count_all != NULL)
            return &elm_classifiers[i];
        if (strcmp(elm_classifiers[i].name, name) == 0) {
            elm_error_set(err, ELM_EXIT_USAGE,
                          "this build has no ScaLAPACK (--classifier %s): install "
                          "libscalapack-openmpi-dev and build again, or use ncm",
                          name);
            return NULL;
        }
        names[i] = elm_classifiers[i].name;
    }
    elm_error_unknown(err,
                      &(elm_unknown){"classifier", name, "--classifier", names, CLASSIFIERS, NULL});
    return NULL;
}
