/* Clipping by the norm of the whole gradient. Sums of squares are taken piece by piece in double
 * and added in the pieces' order, so that threads do not change a bit of the norm, nor, the
 * summed gradient being the same on all ranks, do ranks. */
#include <math.h>

#include "base/cpu/vectors.h"
#include "elmpi/optim.h"

enum { PIECES = 256, LEAST = 1 << 12 };

double elm_gradient_norm(const float *gradients, int64_t count)
{
    double squares[PIECES] = {0}, sum = 0;
    const int64_t share = (count + PIECES - 1) / PIECES, piece = share > LEAST ? share : LEAST;
#pragma omp parallel for schedule(static) if (count > LEAST)
    for (int p = 0; p < PIECES; p++) {
        const int64_t first = p * piece, left = count - first;
        if (left > 0)
            squares[p] = elm_vectors()->dot(gradients + first, gradients + first,
                                            left < piece ? left : piece);
    }
    for (int p = 0; p < PIECES; p++)
        sum += squares[p];
    return sqrt(sum);
}

double elm_gradient_clip(const elm_optim_options *options, float *gradients, int64_t count)
{
    if (options->clip_norm <= 0)
        return 0;
    const double norm = elm_gradient_norm(gradients, count),
                 room = options->clip_norm / (norm + 1e-6);
    if (!(room < 1))
        return norm;
    const float factor = (float)room;
#pragma omp parallel for schedule(static) if (count > LEAST)
    for (int64_t at = 0; at < count; at += ELM_VECTOR_CHUNK)
        elm_vectors()->scale(gradients + at, factor,
                             count - at < ELM_VECTOR_CHUNK ? count - at : ELM_VECTOR_CHUNK);
    return norm;
}
