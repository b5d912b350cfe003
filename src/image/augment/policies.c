#include "image/augment/policies.h"

#include <math.h>

/** How a strength t of 0..1 becomes an operation's magnitude: base + slope t, the product
 * rounded, its sign drawn. */
typedef struct level {
    double base, slope;
    enum { EXACT, TRUNCATED, ROUNDED } rounding;
    bool sign; /* drawn */
    bool side; /* in parts of the image's side */
} level;

/** A way to turn strengths into magnitudes, and how images are turned and moved. */
typedef struct scheme {
    level levels[ELM_OPERATIONS];
    elm_resampling shear, move, turn;
    bool draw_resampling; /* bilinear or bicubic, a coin for each operation */
    double floor;         /* of the four enhancements' factors */
    uint8_t fill[3];
} scheme;

#define FOUR_ENHANCEMENTS(...)                                                                     \
    [ELM_OP_BRIGHTNESS] = __VA_ARGS__, [ELM_OP_COLOR] = __VA_ARGS__,                               \
    [ELM_OP_CONTRAST] = __VA_ARGS__, [ELM_OP_SHARPNESS] = __VA_ARGS__

static const scheme methods_code = {
    /* What LDAM's successors use: rotation is never negated. */
    .levels = {[ELM_OP_SHEAR_X] = {0, .3, EXACT, true, false},
               [ELM_OP_SHEAR_Y] = {0, .3, EXACT, true, false},
               [ELM_OP_TRANSLATE_X] = {0, 150.0 / 331, EXACT, true, true},
               [ELM_OP_TRANSLATE_Y] = {0, 150.0 / 331, EXACT, true, true},
               [ELM_OP_ROTATE] = {0, 30, EXACT, false, false},
               FOUR_ENHANCEMENTS({1, .9, EXACT, true, false}),
               [ELM_OP_POSTERIZE] = {8, -4, ROUNDED, false, false},
               [ELM_OP_SOLARIZE] = {256, -256, EXACT, false, false}},
    .shear = ELM_BICUBIC,
    .move = ELM_NEAREST,
    .turn = ELM_NEAREST,
    .fill = {128, 128, 128},
};

static const scheme torchvision = {
    .levels = {[ELM_OP_SHEAR_X] = {0, .3, EXACT, true, false},
               [ELM_OP_SHEAR_Y] = {0, .3, EXACT, true, false},
               [ELM_OP_TRANSLATE_X] = {0, 150.0 / 331, TRUNCATED, true, true},
               [ELM_OP_TRANSLATE_Y] = {0, 150.0 / 331, TRUNCATED, true, true},
               [ELM_OP_ROTATE] = {0, 30, EXACT, true, false},
               FOUR_ENHANCEMENTS({1, .9, EXACT, true, false}),
               [ELM_OP_POSTERIZE] = {8, -4, ROUNDED, false, false},
               [ELM_OP_SOLARIZE] = {255, -255, EXACT, false, false}},
};

static const scheme trivial_wide = {
    .levels = {[ELM_OP_SHEAR_X] = {0, .99, EXACT, true, false},
               [ELM_OP_SHEAR_Y] = {0, .99, EXACT, true, false},
               [ELM_OP_TRANSLATE_X] = {0, 32, TRUNCATED, true, false},
               [ELM_OP_TRANSLATE_Y] = {0, 32, TRUNCATED, true, false},
               [ELM_OP_ROTATE] = {0, 135, EXACT, true, false},
               FOUR_ENHANCEMENTS({1, .99, EXACT, true, false}),
               [ELM_OP_POSTERIZE] = {8, -6, ROUNDED, false, false},
               [ELM_OP_SOLARIZE] = {255, -255, EXACT, false, false}},
};

#define TIMM_GEOMETRY                                                                              \
    [ELM_OP_SHEAR_X] = {0, .3, EXACT, true, false},                                                \
    [ELM_OP_SHEAR_Y] = {0, .3, EXACT, true, false},                                                \
    [ELM_OP_TRANSLATE_X] = {0, .45, EXACT, true, true},                                            \
    [ELM_OP_TRANSLATE_Y] = {0, .45, EXACT, true, true},                                            \
    [ELM_OP_ROTATE] = {0, 30, EXACT, true, false},                                                 \
    [ELM_OP_SOLARIZE_ADD] = {0, 110, TRUNCATED, false, false}

static const scheme timm = {
    /* Magnitudes do not grow with the strength throughout. */
    .levels = {TIMM_GEOMETRY, FOUR_ENHANCEMENTS({.1, 1.8, EXACT, false, false}),
               [ELM_OP_POSTERIZE] = {0, 4, TRUNCATED, false, false},
               [ELM_OP_SOLARIZE] = {0, 256, TRUNCATED, false, false}},
    .draw_resampling = true,
    .fill = {124, 116, 104},
};

static const scheme timm_increasing = {
    .levels = {TIMM_GEOMETRY, FOUR_ENHANCEMENTS({1, .9, EXACT, true, false}),
               [ELM_OP_POSTERIZE] = {4, -4, TRUNCATED, false, false},
               [ELM_OP_SOLARIZE] = {256, -256, TRUNCATED, false, false}},
    .draw_resampling = true,
    .floor = .1,
    .fill = {128, 128, 128},
};

static double magnitude(const scheme *s, elm_image_operation operation, double t, int side,
                        elm_rng *rng)
{
    const level *l = &s->levels[operation];
    double by = l->slope * t * (l->side ? side : 1);
    by = l->rounding == TRUNCATED ? trunc(by) : l->rounding == ROUNDED ? rint(by) : by;
    if (l->sign && (elm_rng_u32(rng) & 1))
        by = -by;
    const bool enhancement = operation >= ELM_OP_BRIGHTNESS && operation <= ELM_OP_SHARPNESS;
    return enhancement ? fmax(s->floor, l->base + by) : l->base + by;
}

static void operate(elm_canvas *canvas, const scheme *s, elm_image_operation operation, double t,
                    elm_rng *rng)
{
    const int side = operation == ELM_OP_TRANSLATE_Y ? canvas->size.height : canvas->size.width;
    const double value = magnitude(s, operation, t, side, rng);
    elm_resampling how = operation == ELM_OP_ROTATE    ? s->turn
                         : operation <= ELM_OP_SHEAR_Y ? s->shear
                                                       : s->move;
    if (s->draw_resampling)
        how = elm_rng_u32(rng) & 1 ? ELM_BICUBIC : ELM_BILINEAR;
    elm_image_operate(canvas, operation, value, how, s->fill);
}

enum { PAIRS = 25, BINS = 9 };

/** Half of a pair. */
typedef struct half {
    elm_image_operation operation;
    double probability;
    int bin; /* 0 .. 9 */
} half;

#define SHEAR_Y ELM_OP_SHEAR_Y
#define SHEAR_X ELM_OP_SHEAR_X
#define TRANSLATE_X ELM_OP_TRANSLATE_X
#define TRANSLATE_Y ELM_OP_TRANSLATE_Y
#define ROTATE ELM_OP_ROTATE
#define BRIGHTNESS ELM_OP_BRIGHTNESS
#define COLOR ELM_OP_COLOR
#define CONTRAST ELM_OP_CONTRAST
#define SHARPNESS ELM_OP_SHARPNESS
#define POSTERIZE ELM_OP_POSTERIZE
#define SOLARIZE ELM_OP_SOLARIZE
#define AUTOCONTRAST ELM_OP_AUTOCONTRAST
#define EQUALIZE ELM_OP_EQUALIZE
#define INVERT ELM_OP_INVERT

static const half cifar10[PAIRS][2] = {
    {{INVERT, .1, 7}, {CONTRAST, .2, 6}},          {{ROTATE, .7, 2}, {TRANSLATE_X, .3, 9}},
    {{SHARPNESS, .8, 1}, {SHARPNESS, .9, 3}},      {{SHEAR_Y, .5, 8}, {TRANSLATE_Y, .7, 9}},
    {{AUTOCONTRAST, .5, 8}, {EQUALIZE, .9, 2}},    {{SHEAR_Y, .2, 7}, {POSTERIZE, .3, 7}},
    {{COLOR, .4, 3}, {BRIGHTNESS, .6, 7}},         {{SHARPNESS, .3, 9}, {BRIGHTNESS, .7, 9}},
    {{EQUALIZE, .6, 5}, {EQUALIZE, .5, 1}},        {{CONTRAST, .6, 7}, {SHARPNESS, .6, 5}},
    {{COLOR, .7, 7}, {TRANSLATE_X, .5, 8}},        {{EQUALIZE, .3, 7}, {AUTOCONTRAST, .4, 8}},
    {{TRANSLATE_Y, .4, 3}, {SHARPNESS, .2, 6}},    {{BRIGHTNESS, .9, 6}, {COLOR, .2, 8}},
    {{SOLARIZE, .5, 2}, {INVERT, 0, 3}},           {{EQUALIZE, .2, 0}, {AUTOCONTRAST, .6, 0}},
    {{EQUALIZE, .2, 8}, {EQUALIZE, .6, 4}},        {{COLOR, .9, 9}, {EQUALIZE, .6, 6}},
    {{AUTOCONTRAST, .8, 4}, {SOLARIZE, .2, 8}},    {{BRIGHTNESS, .1, 3}, {COLOR, .7, 0}},
    {{SOLARIZE, .4, 5}, {AUTOCONTRAST, .9, 3}},    {{TRANSLATE_Y, .9, 9}, {TRANSLATE_Y, .7, 9}},
    {{AUTOCONTRAST, .9, 2}, {SOLARIZE, .8, 3}},    {{EQUALIZE, .8, 8}, {INVERT, .1, 3}},
    {{TRANSLATE_Y, .7, 9}, {AUTOCONTRAST, .9, 1}},
};

static const half imagenet[PAIRS][2] = {
    {{POSTERIZE, .4, 8}, {ROTATE, .6, 9}},  {{SOLARIZE, .6, 5}, {AUTOCONTRAST, .6, 0}},
    {{EQUALIZE, .8, 0}, {EQUALIZE, .6, 0}}, {{POSTERIZE, .6, 7}, {POSTERIZE, .6, 6}},
    {{EQUALIZE, .4, 0}, {SOLARIZE, .2, 4}}, {{EQUALIZE, .4, 0}, {ROTATE, .8, 8}},
    {{SOLARIZE, .6, 3}, {EQUALIZE, .6, 0}}, {{POSTERIZE, .8, 5}, {EQUALIZE, 1, 0}},
    {{ROTATE, .2, 3}, {SOLARIZE, .6, 8}},   {{EQUALIZE, .6, 0}, {POSTERIZE, .4, 6}},
    {{ROTATE, .8, 8}, {COLOR, .4, 0}},      {{ROTATE, .4, 9}, {EQUALIZE, .6, 0}},
    {{EQUALIZE, 0, 0}, {EQUALIZE, .8, 0}},  {{INVERT, .6, 0}, {EQUALIZE, 1, 0}},
    {{COLOR, .6, 4}, {CONTRAST, 1, 8}},     {{ROTATE, .8, 8}, {COLOR, 1, 2}},
    {{COLOR, .8, 8}, {SOLARIZE, .8, 7}},    {{SHARPNESS, .4, 7}, {INVERT, .6, 0}},
    {{SHEAR_X, .6, 5}, {EQUALIZE, 1, 0}},   {{COLOR, .4, 0}, {EQUALIZE, .6, 0}},
    {{EQUALIZE, .4, 0}, {SOLARIZE, .2, 4}}, {{SOLARIZE, .6, 5}, {AUTOCONTRAST, .6, 0}},
    {{INVERT, .6, 0}, {EQUALIZE, 1, 0}},    {{COLOR, .6, 4}, {CONTRAST, 1, 8}},
    {{EQUALIZE, .8, 0}, {EQUALIZE, .6, 0}},
};

void elm_autoaugment(elm_canvas *canvas, int policy, elm_rng *rng)
{
    static const struct { /* in the order of ELM_AUTOAUGMENT_CHOICES */
        const half (*pairs)[2];
        const scheme *scheme;
    } policies[] = {{cifar10, &methods_code}, {cifar10, &torchvision}, {imagenet, &torchvision}};
    const half *pair = policies[policy].pairs[elm_rng_below(rng, PAIRS)];
    for (int i = 0; i < 2; i++)
        if (elm_rng_uniform(rng) < pair[i].probability)
            operate(canvas, policies[policy].scheme, pair[i].operation, (double)pair[i].bin / BINS,
                    rng);
}

static const elm_image_operation fifteen[] = {
    AUTOCONTRAST, EQUALIZE, INVERT,     ROTATE,    POSTERIZE, SOLARIZE, ELM_OP_SOLARIZE_ADD,
    COLOR,        CONTRAST, BRIGHTNESS, SHARPNESS, SHEAR_X,   SHEAR_Y,  TRANSLATE_X,
    TRANSLATE_Y,
};
static const elm_image_operation fourteen[] = {
    ELM_OP_IDENTITY, SHEAR_X,  SHEAR_Y,   TRANSLATE_X, TRANSLATE_Y, ROTATE,       BRIGHTNESS,
    COLOR,           CONTRAST, SHARPNESS, POSTERIZE,   SOLARIZE,    AUTOCONTRAST, EQUALIZE,
};
enum {
    FIFTEEN = sizeof fifteen / sizeof *fifteen,
    FOURTEEN = sizeof fourteen / sizeof *fourteen,
    TORCHVISION_MOST = 30,
    TIMM_MOST = 10
};

/* Timm's: half of the operations are passed over, and the magnitude varies. */
static void randaugment_timm(elm_canvas *canvas, const scheme *s, double m, elm_rng *rng)
{
    const elm_image_operation operation = fifteen[elm_rng_below(rng, FIFTEEN)];
    if (!(elm_rng_u32(rng) & 1))
        return;
    const double drawn = m + .5 * elm_rng_normal(rng), within = drawn < 0           ? 0
                                                                : drawn > TIMM_MOST ? TIMM_MOST
                                                                                    : drawn;
    operate(canvas, s, operation, within / TIMM_MOST, rng);
}

void elm_randaugment(elm_canvas *canvas, int variant, int count, double m, elm_rng *rng)
{
    /* in the order of ELM_RANDAUGMENT_CHOICES */
    static const scheme *const schemes[] = {&torchvision, &timm, &timm_increasing};
    for (int i = 0; i < count; i++)
        if (variant == 0)
            operate(canvas, &torchvision, fourteen[elm_rng_below(rng, FOURTEEN)],
                    m / TORCHVISION_MOST, rng);
        else
            randaugment_timm(canvas, schemes[variant], m, rng);
}

void elm_trivialaugment(elm_canvas *canvas, elm_rng *rng)
{
    const elm_image_operation operation = fourteen[elm_rng_below(rng, FOURTEEN)];
    operate(canvas, &trivial_wide, operation,
            (double)elm_rng_below(rng, TORCHVISION_MOST + 1) / TORCHVISION_MOST, rng);
}
