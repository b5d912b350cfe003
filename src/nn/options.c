#include <stddef.h>

#include "elmpi/net.h"
#include "nn/batchnorm_scope.h"

static int check_scope(const char *text, elm_error *err)
{
    elm_norm_scope scope;
    return elm_norm_scope_parse(text, &scope, err);
}

static int check_name(const char *name, elm_error *err)
{
    return strcmp(name, ELM_NET_AUTO) == 0 ? 0 : elm_net_check_name(name, err);
}

const elm_option elm_model_option_rows[] = {
    {"model.name", ELM_OPTION_TEXT, offsetof(elm_model_options, name), ELM_NET_AUTO, 0, 0, NULL,
     check_name, NULL,
     "network: auto (by the input: cifar-resnet32 up to 64 pixels, resnet18 above, mlp:64,64 for "
     "vectors), cifar-resnet{8,20,32,44,56}, "
     "cifar-resnet32-menon (the public logit-adjustment code's), resnet{18,34,50,101,152} "
     "(torchvision's "
     "layout, v1.5: the 3x3 convolution carries a bottleneck's stride), mlp:<width>,<width>,..."},
    {"model.bn", ELM_OPTION_TEXT, offsetof(elm_model_options, bn), "global", 0, 0, NULL,
     check_scope, NULL,
     "images that BatchNorm normalizes together: global (the whole batch, over all ranks), rank "
     "(each rank's own, no messages), group:<n> "
     "(runs of n images "
     "of the global batch, whichever ranks hold them)"},
    {"model.zero_init_gamma", ELM_OPTION_BOOL, offsetof(elm_model_options, zero_init_gamma),
     "false", 0, 0, NULL, NULL, NULL,
     "begin the last BatchNorm scale (gamma) of every residual block at 0, so that each block "
     "starts as its shortcut; the paper's "
     "ResNet-50 "
     "does, together with optim.decay_bn = false"},
    {"model.train", ELM_OPTION_CHOICE, offsetof(elm_model_options, train), "all", 0, 0,
     "all|backbone|classifier|scale", NULL, NULL,
     "what learns: all; backbone (all but the last layer); classifier (the last layer alone, as "
     "cRT does); scale (a factor on each class's logit, as LWS does). What does not learn keeps "
     "the values of run.init; a backbone that does not learn normalizes by its running "
     "statistics"},
    {"model.head", ELM_OPTION_CHOICE, offsetof(elm_model_options, head), "auto", 0, 0,
     "auto|linear|cosine", NULL, NULL,
     "last layer: linear (weights and biases), cosine (no bias; embeddings and class vectors are "
     "scaled to length 1, logits are cosines; "
     "class "
     "vectors begin uniform in [-1, 1], then scaled, as in the public LDAM-DRW code), auto (cosine "
     "for loss.logit = ldam, else linear)"},
    {0},
};
