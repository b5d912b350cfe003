/* Sources: what the rows of prepare.c's table run, one file a family of data sets. */
#ifndef ELMPI_PREPARE_SOURCES_H
#define ELMPI_PREPARE_SOURCES_H

#include "elmpi/prepare.h"

/** CIFAR-10 and CIFAR-100 from the authors' binary archives: the store's order is the record
 * order. */
int elm_prepare_cifar10(const elm_prepare_request *request, elm_error *err);
int elm_prepare_cifar100(const elm_prepare_request *request, elm_error *err);

/** The handwritten digits that elmpi brings along: a long-tailed training set and a balanced
 * test set. */
int elm_prepare_digits(const elm_prepare_request *request, elm_error *err);

/** Two interleaving half circles with noise: a synthetic training set with a rare class, and a
 * balanced test set. */
int elm_prepare_moons(const elm_prepare_request *request, elm_error *err);

/** Images in shards: ImageNet-LT, iNaturalist 2018, and whatever else comes as files. */
int elm_prepare_imagenet_lt(const elm_prepare_request *request, elm_error *err);
int elm_prepare_inat2018(const elm_prepare_request *request, elm_error *err);
int elm_prepare_any_images(const elm_prepare_request *request, elm_error *err);

#endif
