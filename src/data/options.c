#include <stddef.h>

#include "data/defaults.h"
#include "data/sampling/holdout.h"
#include "data/sampling/sampler.h"
#include "elmpi/dataset.h"
#include "image/augment/augment.h"

#define TEXT(number) TEXT_OF(number)
#define TEXT_OF(number) #number

const elm_option elm_data_option_rows[] = {
    {"data.store", ELM_OPTION_PATH, offsetof(elm_data_options, store), NULL, 0, 0, NULL, NULL, NULL,
     "the data set: a store made by elmpi-prepare"},
    {"data.imbalance", ELM_OPTION_REAL, offsetof(elm_data_options, imbalance), "0", 0, 1e6, NULL,
     NULL, NULL,
     "n_max / n_min of the long-tailed subset to train on, drawn as the public LDAM-DRW code does; "
     "0: the training set as it is"},
    {"data.augment", ELM_OPTION_TEXT, offsetof(elm_data_options, augment), "auto", 0, 0, NULL,
     elm_augment_check, NULL,
     "none, or steps in their order, separated by commas, their parameters behind colons: "
     "\"crop:4, flip, autoaugment:cifar10, "
     "cutout:16\"; "
     "docs/methods.md lists them. Images in shards begin with resized-crop. auto: "
     "\"resized-crop, flip\" for images in shards, "
     "\"crop:4, flip\" for other color images, \"shift:1\" for images of one channel, none for "
     "features"},
    {"data.mix", ELM_OPTION_CHOICE, offsetof(elm_data_options, mix), "none", 0, 0,
     "none|mixup|cutmix", NULL, NULL,
     "images of a global batch are mixed with each other, x_i with x_j, j a random permutation, "
     "one lambda ~ Beta(alpha, alpha) for the batch. mixup (Zhang et al. 2018): lambda x_i + (1 - "
     "lambda) x_j; cutmix (Yun et al. 2019): a box of x_j in x_i, lambda the share that is left. "
     "Either image is augmented as without it. The logit loss, whichever, is lambda times that of "
     "y_i and (1 - lambda) times that of y_j. Not with a term on the embeddings"},
    {"data.mix.alpha", ELM_OPTION_REAL, offsetof(elm_data_options, mix_alpha), "1", 1e-3, 1e3, NULL,
     NULL, "data.mix=mixup|cutmix",
     "1: lambda is uniform; smaller: one of the two prevails (MiSLAS: mixup, 0.2 for ImageNet-LT "
     "and iNaturalist, 1 for CIFAR)"},
    {"data.mix.probability", ELM_OPTION_REAL, offsetof(elm_data_options, mix_probability), "1", 0,
     1, NULL, NULL, "data.mix=mixup|cutmix",
     "share of the batches that are mixed (0.5 in CutMix's code for CIFAR)"},
    {"data.normalize", ELM_OPTION_CHOICE, offsetof(elm_data_options, normalize), "store", 0, 0,
     ELM_NORMALIZE_CHOICES, NULL, NULL,
     "store: (x/255 - mean) / deviation, those of the store; half: x/255 - 0.5, as the public "
     "logit-adjustment code"},
    {"data.drop_last", ELM_OPTION_BOOL, offsetof(elm_data_options, drop_last), "false", 0, 0, NULL,
     NULL, NULL,
     "leaves out the images of an epoch that do not fill its last batch; the epoch is a step "
     "shorter"},
    {"data.sampler", ELM_OPTION_TEXT, offsetof(elm_data_options, sampler), "instance", 0, 0, NULL,
     elm_sampler_check, NULL,
     "which images an epoch takes and in which order, as many as there are whatever the sampler; "
     "instance: every image once, shuffled anew for every epoch; sequential: every image once, as "
     "they stand in the store; window:<n>, n from 64: every image once, for shards on a parallel "
     "file system: blocks of n / 16 images as they lie in the shards come in random order, n "
     "images at a time are shuffled among each other (where shards are sorted by class take n "
     "large enough for many classes); class-balanced: classes drawn "
     "uniformly; sqrt: in proportion to the root of their images; progressive: from their images "
     "in the first epoch to uniformly after the "
     "last; class-aware:<k>: the classes in turn, in an order drawn anew for each turn, k images "
     "of each; all images of a class come "
     "before "
     "one comes again"},
    {"data.holdout", ELM_OPTION_TEXT, offsetof(elm_data_options, holdout), "0", 0, 0, NULL,
     elm_holdout_check, NULL,
     "images of the training set to hold out, to choose models and parameters by: so many a class "
     "(5) or a share of each class (0.1); one "
     "image of a class is always kept for training; 0: none"},
    {"data.crop", ELM_OPTION_INT, offsetof(elm_data_options, crop), TEXT(ELM_DATA_CROP), 8, 4096,
     NULL, NULL, NULL, "images in shards: side of the network's input, in pixels"},
    {"data.resize", ELM_OPTION_INT, offsetof(elm_data_options, resize), "0", 0, 8192, NULL, NULL,
     NULL,
     "images in shards, evaluation: length of the short side before the center is cut out "
     "(torchvision's Resize and CenterCrop); 0: 8/7 "
     "of "
     "data.crop, rounded down (256 for 224, 73 for 64)"},
    {"data.threads", ELM_OPTION_INT, offsetof(elm_data_options, threads), TEXT(ELM_DATA_THREADS), 1,
     256, NULL, NULL, NULL, "images in shards: threads a rank that read and decode"},
    {"data.unreadable", ELM_OPTION_REAL, offsetof(elm_data_options, unreadable),
     TEXT(ELM_DATA_UNREADABLE), 0, 1, NULL, NULL, NULL,
     "images in shards: share of the training set that may turn out to be unreadable; the "
     "next image of its class takes the place of each; where there is none the image gets "
     "gradient 0 (1/batch stays, and BatchNorm gets zeros); more end the run"},
    {"data.unreadable_test", ELM_OPTION_CHOICE, offsetof(elm_data_options, unreadable_test),
     "wrong", 0, 0, "wrong|omit", NULL, NULL,
     "images in shards, evaluation: an image that cannot be read counts as classified "
     "wrongly, or is left out; either is said, "
     "with "
     "the number, in the log and in evaluation.json"},
    {"data.shards", ELM_OPTION_PATH, offsetof(elm_data_options, shards), "", 0, 0, NULL, NULL, NULL,
     "images in shards: folder of the shards, such as a copy on a disk of the node; empty: where "
     "the store says, within the store's own "
     "folder"},
    {"data.verify", ELM_OPTION_CHOICE, offsetof(elm_data_options, verify), "sample", 0, 0,
     "sample|all|none", NULL, NULL,
     "images in shards: which are compared with the digests that the store keeps of them, when a "
     "run starts or resumes; sample: 256 of "
     "each "
     "split; all: every one, a share a rank, which reads all shards once"},
    {"data.outside", ELM_OPTION_CHOICE, offsetof(elm_data_options, outside), "refuse", 0, 0,
     "refuse|allow", NULL, NULL,
     "images in shards: whether a shard may lie, links resolved, neither below the store's "
     "folder nor below data.shards, as the archives "
     "of a store of your own may; a store from others could make elmpi read and copy any file in "
     "this way"},
    {"data.stage", ELM_OPTION_PATH, offsetof(elm_data_options, stage), "", 0, 0, NULL, NULL, NULL,
     "images in shards: a folder on a disk of each node, such as one in $TMPDIR; one rank of the "
     "node copies the shards there before "
     "training and all of the node read them there; what is there already is not copied again, and "
     "nothing is removed afterwards; empty: "
     "no copy"},
    {0},
};
