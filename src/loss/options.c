#include <stddef.h>
#include <string.h>

#include "elmpi/loss.h"
#include "loss/embedding/pull_alpha.h"
#include "loss/table.h"

static int check_logit(const char *name, elm_error *err)
{
    return elm_loss_find(elm_logit_losses, "loss.logit", name, err) ? 0 : -1;
}

static int check_embed(const char *name, elm_error *err)
{
    return strcmp(name, "none") == 0 || elm_loss_find(elm_embedding_terms, "loss.embed", name, err)
               ? 0
               : -1;
}

static int check_alpha(const char *text, elm_error *err)
{
    elm_pull_alpha alpha;
    return elm_pull_alpha_parse(text, &alpha, err);
}

#define AT(member) offsetof(elm_loss_options, member)

const elm_option elm_loss_option_rows[] = {
    {"loss.logit", ELM_OPTION_TEXT, AT(logit), "ce", 0, 0, NULL, check_logit, NULL,
     "loss on the logits, by name (see below)"},
    {"loss.weights", ELM_OPTION_CHOICE, AT(weights), "auto", 0, 0,
     "auto|none|class-balanced|drw|frequency", NULL, NULL,
     "class weights of the logit loss: class-balanced ((1 - b) / (1 - b^n) for n training images, "
     "rescaled to sum to the number of "
     "classes), "
     "drw (deferred: none before an epoch, class-balanced from it on), frequency (n / largest n: "
     "DRO-LT's second stage), none, auto "
     "(class-balanced for cb-focal, else none). The weighted sum is divided by the weights of the "
     "global batch; cb-focal's by its images"},
    {"loss.weights.beta", ELM_OPTION_REAL, AT(weights_beta), "0.9999", 0, 1, NULL, NULL,
     "loss.weights=auto|class-balanced|drw",
     "b of class-balanced weights; 0 weighs all classes alike, 1 by 1 / n"},
    {"loss.weights.epoch", ELM_OPTION_REAL, AT(weights_epoch), "160", 0, 1e9, NULL, NULL,
     "loss.weights=drw",
     "epochs done when drw's weights begin; shorten it with the schedule (160 of 200 in the public "
     "LDAM-DRW code)"},
    {"loss.smoothing", ELM_OPTION_CHOICE, AT(smoothing), "none", 0, 0, "none|uniform|label-aware",
     NULL, NULL,
     "label of an image of class y: (1 - e_y) on y and e_y / L on each of the L classes. uniform: "
     "e_y = loss.smoothing.share (Szegedy et al. 2016, Rethinking the Inception architecture); "
     "label-aware: e_y = tail + (head - tail) sin(pi/2 (n_y - n_min) / (n_max - n_min)), more for "
     "frequent classes (Zhong et al. 2021, MiSLAS). The loss is the cross-entropy of the softmax "
     "that loss.logit defines, margins and priors as they are; class weights multiply an image's "
     "whole loss. Not with cb-focal and equalization"},
    {"loss.smoothing.share", ELM_OPTION_REAL, AT(smoothing_share), "0.1", 0, 1, NULL, NULL,
     "loss.smoothing=uniform", "e, the same for all classes"},
    {"loss.smoothing.head", ELM_OPTION_REAL, AT(smoothing_head), "0.4", 0, 1, NULL, NULL,
     "loss.smoothing=label-aware",
     "e of the class with the most training images (MiSLAS: 0.4 for CIFAR100-LT, 0.3 for "
     "CIFAR10-LT and large sets, at imbalance 100)"},
    {"loss.smoothing.tail", ELM_OPTION_REAL, AT(smoothing_tail), "0.1", 0, 1, NULL, NULL,
     "loss.smoothing=label-aware",
     "e of the class with the fewest (MiSLAS: 0.1 for CIFAR100-LT, 0 for CIFAR10-LT and large "
     "sets)"},
    {"loss.embed", ELM_OPTION_TEXT, AT(embed), "none", 0, 0, NULL, check_embed, NULL,
     "term on the embeddings beside it, by name (see below), or none"},
    {"loss.lambda", ELM_OPTION_REAL, AT(lambda), "0.01", 0, 1e6, NULL, NULL, "loss.embed!=none",
     "weight of the embedding term"},
    {"loss.logadj.tau", ELM_OPTION_REAL, AT(logadj_tau), "1", 0, 100, NULL, NULL,
     "loss.logit=logadj", "strength of the adjustment: f + tau log pi"},
    {"loss.ldam.margin", ELM_OPTION_REAL, AT(ldam_margin), "0.5", 0, 2, NULL, NULL,
     "loss.logit=ldam",
     "largest margin m, that of the rarest class, as a difference of cosines (0.3 for "
     "iNaturalist)"},
    {"loss.ldam.scale", ELM_OPTION_REAL, AT(ldam_scale), "30", 1e-6, 1e6, NULL, NULL,
     "loss.logit=ldam", "s: cosines are multiplied by it"},
    {"loss.cb-focal.variant", ELM_OPTION_CHOICE, AT(cb_focal_variant), "sigmoid", 0, 0,
     "sigmoid|softmax|softmax-public", NULL, "loss.logit=cb-focal",
     "sigmoid: a binary focal loss for each class, the last layer's bias starts at -log(L - 1); "
     "softmax: the focal loss of the softmax; "
     "softmax-public: as the public LDAM-DRW code, whose p holds the class weight too, e^(-w CE)"},
    {"loss.cb-focal.gamma", ELM_OPTION_REAL, AT(cb_focal_gamma), "1", 0, 100, NULL, NULL,
     "loss.logit=cb-focal", "focal exponent (iNaturalist 0.5, with loss.weights.beta 0.999)"},
    {"loss.equalization.variant", ELM_OPTION_CHOICE, AT(equalization_variant), "bernoulli", 0, 0,
     "bernoulli|margin", NULL, "loss.logit=equalization",
     "bernoulli: rare classes are left out of other classes' softmax at random; margin: the margin "
     "pi(y') on every other class, as ELM's "
     "text writes it"},
    {"loss.equalization.gamma", ELM_OPTION_REAL, AT(equalization_gamma), "0.9", 0, 1, NULL, NULL,
     "loss.logit=equalization", "probability of leaving a rare class out"},
    {"loss.equalization.lambda", ELM_OPTION_REAL, AT(equalization_lambda), "0.005", 0, 1, NULL,
     NULL, "loss.logit=equalization",
     "classes with a smaller share of the training images are rare"},
    {"loss.pull.alpha", ELM_OPTION_TEXT, AT(pull_alpha), "sqrt-n", 0, 0, NULL, check_alpha,
     "loss.embed=pull",
     "margin of a class with n training images, a share pi of them: pi, sqrt-pi, n, sqrt-n, "
     "pi^<a>, n^<a>"},
    {"loss.pull.scale", ELM_OPTION_REAL, AT(pull_scale), "1", 0, 1e9, NULL, NULL, "loss.embed=pull",
     "factor on the margin (10 with sqrt-pi is the paper's ImageNet-LT set-up)"},
    {"loss.scope", ELM_OPTION_CHOICE, AT(scope), "global", 0, 0, "global|rank|bank", NULL,
     "loss.embed=pull|center|dro",
     "pull: an anchor's positives are images of its class in the global batch; in its rank's share "
     "of the batch; or in the whole training "
     "set, "
     "where those that are not in the batch stand by the embedding they had when last seen (the "
     "memory bank, loss.bank.*). center, dro: "
     "centers "
     "as their own options say (global), or the means of all images of their class by the same "
     "bank"},
    {"loss.pull.normalize", ELM_OPTION_BOOL, AT(pull_normalize), "false", 0, 0, NULL, NULL,
     "loss.embed=pull", "scale embeddings to length 1 first"},
    {"loss.bank.precision", ELM_OPTION_CHOICE, AT(bank_precision), "fp32", 0, 0, "fp32|bf16", NULL,
     "loss.scope=bank",
     "format of stored embeddings; bf16 halves memory, checkpoint and the memory traffic of a "
     "step, and rounds an entry by 1 in 500 at "
     "most"},
    {"loss.bank.max_age", ELM_OPTION_REAL, AT(bank_max_age), "2", 0, 1e9, NULL, NULL,
     "loss.scope=bank",
     "epochs after which an entry no longer counts, as the network that made it is another by "
     "then. With every image once an epoch none "
     "gets "
     "older than 2; samplers that favor rare classes leave older ones of the others. 0: no entry "
     "counts"},
    {"loss.bank.start_epoch", ELM_OPTION_REAL, AT(bank_start_epoch), "0", 0, 1e9, NULL, NULL,
     "loss.scope=bank",
     "epochs done when entries begin to count: early on embeddings move too fast for old ones to "
     "say much. They are stored from the start"},
    {"loss.bank.per_class", ELM_OPTION_INT, AT(bank_per_class), "-1", -1, 2147483647, NULL, NULL,
     "loss.scope=bank",
     "entries of a class at most, the newest; -1: one for each of its images; 0: no bank. A cap "
     "bounds memory and work where head classes "
     "are "
     "large; they find partners in the batch anyway"},
    {"loss.bank.momentum", ELM_OPTION_REAL, AT(bank_momentum), "0", 0, 0.99, NULL, NULL,
     "loss.scope=bank",
     "share of the old entry in the new one: averages out augmentation, at the price of lagging "
     "behind; 0: the latest embedding. With bf16 "
     "stay "
     "below 0.9: what a new embedding adds is rounded to 8 bits, and of small changes nothing is "
     "left"},
    {"loss.bank.normalizer", ELM_OPTION_CHOICE, AT(bank_normalizer), "sum", 0, 0, "sum|mean", NULL,
     "loss.scope=bank",
     "pull, of the exponentials over an anchor's positives: their sum, the paper's, which grows "
     "with the class, or their mean, so that a "
     "class "
     "of "
     "1000 does not pull harder than one of 10 at the same distances"},
    {"loss.dro.variant", ELM_OPTION_CHOICE, AT(dro_variant), "paper", 0, 0, "paper|public", NULL,
     "loss.embed=dro",
     "paper: eq. 5, squared distances, fixed margins epsilon / sqrt(pi), mean over images; public: "
     "as the authors' code, distances not "
     "squared, margins learned from epsilon on, mean over the classes present"},
    {"loss.dro.epsilon", ELM_OPTION_REAL, AT(dro_epsilon), "1", 0, 1e6, NULL, NULL,
     "loss.embed=dro",
     "factor on the margin 1 / sqrt(pi) of a class (paper), or every class's margin at the start "
     "(public)"},
    {"loss.dro.centroids", ELM_OPTION_CHOICE, AT(dro_centroids), "running", 0, 0, "running|epoch",
     NULL, "loss.embed=dro",
     "running: means that follow the batches; epoch: means over the whole training set, computed "
     "before each epoch (a pass without "
     "augmentation), as the method's second stage wants. loss.scope = bank takes the place of "
     "both"},
    {"loss.dro.momentum", ELM_OPTION_REAL, AT(dro_momentum), "0.9", 0, 1, NULL, NULL,
     "loss.embed=dro", "share of the old in the running mean of a class's embeddings, a step"},
    {"loss.center.rate", ELM_OPTION_REAL, AT(center_rate), "0.5", 0, 1, NULL, NULL,
     "loss.embed=center",
     "how far a center follows the images of its class in a step; not with loss.scope = bank"},
    {"loss.supcon.temperature", ELM_OPTION_REAL, AT(supcon_temperature), "0.07", 1e-6, 1e6, NULL,
     NULL, "loss.embed=supcon|hybrid-sc", "products of embeddings are divided by it"},
    {"loss.triplet.margin", ELM_OPTION_REAL, AT(triplet_margin), "0.2", 0, 1e6, NULL, NULL,
     "loss.embed=triplet",
     "by how much an image's product with one of its class is to exceed that with another"},
    {"loss.triplet.mining", ELM_OPTION_CHOICE, AT(triplet_mining), "all", 0, 0, "all|hardest", NULL,
     "loss.embed=triplet",
     "mean over all triplets of the global batch, or over each anchor's hardest one"},
    {"loss.range.intra", ELM_OPTION_REAL, AT(range_intra), "0.5", 0, 1e6, NULL, NULL,
     "loss.embed=range", "a: weight of the distances within classes"},
    {"loss.range.inter", ELM_OPTION_REAL, AT(range_inter), "0.5", 0, 1e6, NULL, NULL,
     "loss.embed=range", "b: weight of the distance between the nearest class means"},
    {"loss.range.margin", ELM_OPTION_REAL, AT(range_margin), "1", 0, 1e9, NULL, NULL,
     "loss.embed=range", "m: squared distance that class means are to keep"},
    {"loss.lda.ridge", ELM_OPTION_REAL, AT(lda_ridge), "1e-3", 1e-12, 1e6, NULL, NULL,
     "loss.embed=lda", "added to the diagonal of the covariance within classes"},
    {"loss.lda.window", ELM_OPTION_REAL, AT(lda_window), "1", 0, 1e9, NULL, NULL, "loss.embed=lda",
     "eigenvalues below the smallest plus this take part"},
    {0},
};
