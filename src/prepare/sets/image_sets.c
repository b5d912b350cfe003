/* The published data sets of images. All are prepared by index_build.c. */
#include "prepare/index_build.h"
#include "prepare/sources.h"

/* Mean and deviation of x / 255, by channel, over ImageNet's training set, as most use them. */
/* clang-format off */
#define IMAGENET_MEAN {.485f, .456f, .406f}
#define IMAGENET_DEVIATION {.229f, .224f, .225f}
/* clang-format on */

static const elm_image_set any_images = {
    .info = {.dataset = "pictures", .mean = IMAGENET_MEAN, .std = IMAGENET_DEVIATION},
};

static const elm_image_set imagenet_lt = {
    .info = {.dataset = "imagenet-lt", .mean = IMAGENET_MEAN, .std = IMAGENET_DEVIATION},
    .listed = true,
    .classes = 1000,
    .train_count = 115846,
    .advice = "give ImageNet_LT_train.txt, and with --val-list and --test-list ImageNet_LT_val.txt "
              "and ImageNet_LT_test.txt",
};

static const elm_image_set inat2018 = {
    .info = {.dataset = "inat2018", .mean = {.466f, .471f, .380f}, .std = {.195f, .194f, .192f}},
    .listed = true,
    .val_is_test = true,
    .classes = 8142,
    .train_count = 437513,
    .advice = "give train2018.json, and with --val-list val2018.json, or iNaturalist18_train.txt "
              "and iNaturalist18_val.txt",
};

int elm_prepare_any_images(const elm_prepare_request *request, elm_error *err)
{
    return elm_index_build_run(&any_images, request, err);
}

int elm_prepare_imagenet_lt(const elm_prepare_request *request, elm_error *err)
{
    return elm_index_build_run(&imagenet_lt, request, err);
}

int elm_prepare_inat2018(const elm_prepare_request *request, elm_error *err)
{
    return elm_index_build_run(&inat2018, request, err);
}
