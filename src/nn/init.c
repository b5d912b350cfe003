#include "nn/init.h"

#include <math.h>

#include "base/hash.h"
#include "base/rng.h"

/* Rows of `width`, as NormedLinear of the public LDAM-DRW code begins. */
static void scale_rows(elm_tensor *parameter, int64_t width)
{
    for (float *row = parameter->data; row < parameter->data + parameter->count; row += width) {
        double sum = 0;
        for (int64_t k = 0; k < width; k++)
            sum += (double)row[k] * (double)row[k];
        for (int64_t k = 0; k < width; k++)
            row[k] = (float)((double)row[k] / sqrt(sum));
    }
}

/* Deviation of a standard normal number that is drawn again until it lies within two deviations. */
static const double truncated_deviation = 0.87962566103423978;

static double truncated_normal(elm_rng *rng)
{
    double z;
    do
        z = elm_rng_normal(rng);
    while (fabs(z) > 2);
    return z / truncated_deviation;
}

typedef enum distribution { CONSTANT, UNIFORM, NORMAL, TRUNCATED } distribution;

void elm_init_parameter(elm_tensor *parameter, elm_init init, int64_t fan_in, uint64_t seed)
{
    const double fan = (double)fan_in;
    const struct {
        distribution kind;
        double scale; /* value, bound or deviation */
    } table[] = {
        [ELM_INIT_HE] = {NORMAL, sqrt(2 / fan)},
        [ELM_INIT_HE_TRUNCATED] = {TRUNCATED, sqrt(2 / fan)},
        [ELM_INIT_UNIFORM] = {UNIFORM, 1 / sqrt(fan)},
        [ELM_INIT_HE_UNIFORM] = {UNIFORM, sqrt(6 / fan)},
        [ELM_INIT_SMALL_NORMAL] = {NORMAL, 0.01},
        [ELM_INIT_UNIT_ROWS] = {UNIFORM, 1},
        [ELM_INIT_ONE] = {CONSTANT, 1},
        [ELM_INIT_ZERO] = {CONSTANT, 0},
    };
    elm_rng rng = elm_rng_stream(seed, ELM_RNG_INIT, elm_hash_text_32(parameter->name), 0);
    for (int64_t i = 0; i < parameter->count; i++)
        switch (table[init].kind) {
        case CONSTANT:
            parameter->data[i] = (float)table[init].scale;
            break;
        case UNIFORM:
            parameter->data[i] = (float)(table[init].scale * (2 * elm_rng_uniform(&rng) - 1));
            break;
        case NORMAL:
            parameter->data[i] = (float)(table[init].scale * elm_rng_normal(&rng));
            break;
        case TRUNCATED:
            parameter->data[i] = (float)(table[init].scale * truncated_normal(&rng));
            break;
        }
    if (init == ELM_INIT_UNIT_ROWS)
        scale_rows(parameter, fan_in);
}
