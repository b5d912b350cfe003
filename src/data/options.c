#include <stddef.h>

#include "data/augment.h"
#include "data/sampler.h"
#include "elmpi/dataset.h"

const elm_option elm_data_option_rows[] = {
    {"data.store", ELM_OPTION_TEXT, offsetof(elm_data_options, store), NULL, 0, 0, NULL, NULL, NULL,
     "the data set: a store made by elmpi-prepare"},
    {"data.imbalance", ELM_OPTION_REAL, offsetof(elm_data_options, imbalance), "0", 0, 1e6, NULL, NULL, NULL,
     "n_max / n_min of the long-tailed subset to train on, drawn as the public LDAM-DRW code does; 0: the training set as it is"},
    {"data.augment", ELM_OPTION_CHOICE, offsetof(elm_data_options, augment), "auto", 0, 0, ELM_AUGMENT_CHOICES, NULL, NULL,
     "crop-flip: pad by 4, crop at random, flip half of them; shift: by up to one pixel; auto: crop-flip for colour pictures, shift for "
     "pictures "
     "of one channel, none for features"},
    {"data.order", ELM_OPTION_CHOICE, offsetof(elm_data_options, order), "shuffle", 0, 0, ELM_ORDER_CHOICES, NULL, NULL,
     "shuffle: anew for every epoch; sequential: as the images stand in the store"},
    {"data.sampler", ELM_OPTION_CHOICE, offsetof(elm_data_options, sampler), "instance", 0, 0, ELM_SAMPLER_CHOICES, NULL, NULL,
     "instance: every image once an epoch"},
    {0},
};
