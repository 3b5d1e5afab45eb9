// SSIM's row kernels, compiled once per instruction set.
//
// Source: Z. Wang, A. C. Bovik, H. R. Sheikh, E. P. Simoncelli, "Image quality assessment: from error
// visibility to structural similarity", IEEE Transactions on Image Processing 13(4), 2004.
#include "ssim.h"

#include <string.h>

namespace gradpress {
namespace GRADPRESS_ISA {

typedef int64_t Index;

#include "halving.h"

enum { REACH = SSIM_REACH, TAPS = SSIM_TAPS, TILE = SSIM_TILE, PITCH = SSIM_PITCH, BORDER = 2 * REACH };

static const float C1 = 6.5025f, C2 = 58.5225f;  // (0.01 · 255)², (0.03 · 255)²
static const float SHIFT = 128;

static void luma(const float* __restrict r, const float* __restrict g, const float* __restrict b, Index n,
                 float* __restrict out) {
    for (Index i = 0; i < n; i++) out[i] = (.299f * r[i] + .587f * g[i] + .114f * b[i]) - SHIFT;
}

static void grey(const float* __restrict samples, Index n, float* __restrict out) {
    for (Index i = 0; i < n; i++) out[i] = samples[i] - SHIFT;
}

static void scaled(const float* in, float scale, Index n, float* out) {
    for (Index i = 0; i < n; i++) out[i] = scale * in[i];
}

// Half of a window with sigma 1.5, from its centre outwards; zeros beyond its reach.
struct Taps {
    float at[REACH + 1];
};

static Taps taps_of(int reach) {
    static const double GAUSSIAN[REACH + 1] = {1,  // exp(-k² / 4.5)
                                               .80073740291680806,
                                               .41111229050718745,
                                               .13533528323661270,
                                               .028565500784550377,
                                               .0038659201394728076};
    double sum = 1;
    for (int k = 1; k <= reach; k++) sum += 2 * GAUSSIAN[k];
    Taps taps;
    for (int k = 0; k <= REACH; k++) taps.at[k] = k <= reach ? (float)(GAUSSIAN[k] / sum) : 0.f;
    return taps;
}

// in[begin - 5 … end + 4] must be there.
static void blur_along(const float* __restrict in, const Taps& taps, Index begin, Index end, float* __restrict out) {
    const float t0 = taps.at[0], t1 = taps.at[1], t2 = taps.at[2], t3 = taps.at[3], t4 = taps.at[4], t5 = taps.at[5];
    for (Index i = begin; i < end; i++)
        out[i] = t0 * in[i] + t1 * (in[i - 1] + in[i + 1]) + t2 * (in[i - 2] + in[i + 2]) +
                 t3 * (in[i - 3] + in[i + 3]) + t4 * (in[i - 4] + in[i + 4]) + t5 * (in[i - 5] + in[i + 5]);
}

static void blur_across(const float* const* rows, const Taps& taps, Index begin, Index end, float* __restrict out) {
    const float t0 = taps.at[0], t1 = taps.at[1], t2 = taps.at[2], t3 = taps.at[3], t4 = taps.at[4], t5 = taps.at[5];
    const float *a = rows[0], *b = rows[1], *c = rows[2], *d = rows[3], *e = rows[4], *f = rows[5];
    const float *g = rows[6], *h = rows[7], *k = rows[8], *l = rows[9], *m = rows[10];
    for (Index i = begin; i < end; i++)
        out[i] = t0 * f[i] + t1 * (e[i] + g[i]) + t2 * (d[i] + h[i]) + t3 * (c[i] + k[i]) + t4 * (b[i] + l[i]) +
                 t5 * (a[i] + m[i]);
}

// A tile's place: local column i is column first - BORDER + i of the plane.
struct Tile {
    Index first, columns;       // that it is responsible for
    Index present, past;        // local columns that the plane has
    Index centred, past_centred;  // local columns where a window fits, as far as this tile needs them
};

static inline Index least(Index a, Index b) { return a < b ? a : b; }
static inline Index most(Index a, Index b) { return a > b ? a : b; }

// margin: columns beyond its own whose windows it needs.
static Tile tile_at(Index first, Index width, int reach, Index margin) {
    Tile tile;
    const Index origin = first - BORDER;
    tile.first = first, tile.columns = least(TILE, width - first);
    tile.present = most(0, -origin), tile.past = least(tile.columns + 2 * BORDER, width - origin);
    tile.centred = most(BORDER - margin, reach - origin);
    tile.past_centred = least(BORDER + tile.columns + margin, width - reach - origin);
    return tile;
}

static void push(SsimBlur& blur, const Taps& along, Index y, bool inside, Index begin, Index end) {
    const Index slot = (y + 2 * TAPS) % TAPS;
    for (int p = 0; p < 3; p++) {
        if (inside) blur_along(blur.padded[p], along, begin, end, blur.ring[p][slot]);
        else memset(blur.ring[p][slot], 0, sizeof blur.ring[p][slot]);
    }
}

static void pull(SsimBlur& blur, const Taps& across, Index y, Index begin, Index end) {
    for (int p = 0; p < 3; p++) {
        const float* rows[TAPS];
        for (Index k = 0; k < TAPS; k++) rows[k] = blur.ring[p][(y - REACH + k + 2 * TAPS) % TAPS];
        blur_across(rows, across, begin, end, blur.blurred[p]);
    }
}

static void prepare_tile(const float* reference, Index height, Index width, SsimWindow window, const Tile& tile,
                         Index begin, Index end, SsimBlur& blur, float* mean, float* spread) {
    const Taps across = taps_of(window.down), along = taps_of(window.along);
    memset(&blur, 0, sizeof blur);
    begin = most(begin, window.down), end = least(end, height - window.down);
    for (Index y = begin - REACH; y < end + REACH; y++) {
        const bool inside = 0 <= y && y < height;
        if (inside) {
            const Index at = y * width + tile.first - BORDER;
            for (Index i = tile.present; i < tile.past; i++) {
                const float r = reference[at + i];
                blur.padded[0][i] = r, blur.padded[1][i] = r * r;
            }
        }
        push(blur, along, y, inside, tile.centred, tile.past_centred);
        const Index centre = y - REACH;
        if (centre < begin) continue;
        pull(blur, across, centre, tile.centred, tile.past_centred);
        const Index at = centre * width + tile.first - BORDER;
        for (Index i = tile.centred; i < tile.past_centred; i++) {
            const float m = blur.blurred[0][i];
            mean[at + i] = m;
            spread[at + i] = 2 * (blur.blurred[1][i] - m * m) + C2;
        }
    }
}

static void prepare(const float* reference, Index height, Index width, SsimWindow window, Index begin, Index end,
                    SsimScratch& scratch, float* mean, float* spread) {
    for (Index first = 0; first < width; first += TILE)
        prepare_tile(reference, height, width, window, tile_at(first, width, window.along, 0), begin, end,
                     scratch.moments, mean, spread);
}

// What the two factors lack of 1, and the denominators.
struct Lack {
    float structure, luminance, inverse_spread, inverse_means;
};

// From E(r), 2 V(r) + C2, E(d), E(d²), E(r d); luminance counts with weight 1 or 0.
static inline Lack lack_of(float mean, float spread, float d, float dd, float rd, float weight) {
    const float variance = dd - d * d, covariance = rd - mean * d;
    const float r = mean + SHIFT, x = r + d;
    Lack lack;
    lack.inverse_spread = 1 / (spread + 2 * covariance + variance);
    lack.structure = variance * lack.inverse_spread;
    lack.inverse_means = weight / (r * r + x * x + C1);
    lack.luminance = d * d * lack.inverse_means;
    return lack;
}

static void error_row(const float* __restrict mean, const float* __restrict spread, const float* __restrict d,
                      const float* __restrict dd, const float* __restrict rd, float weight, Index n,
                      float* __restrict error) {
    for (Index i = 0; i < n; i++) {
        const Lack lack = lack_of(mean[i], spread[i], d[i], dd[i], rd[i], weight);
        error[i] = lack.structure + lack.luminance - lack.structure * lack.luminance;
    }
}

// Derivatives of the error by E(d), E(d²) and E(r d).
static void slope_row(const float* __restrict mean, const float* __restrict spread, const float* __restrict d,
                      const float* __restrict dd, const float* __restrict rd, float weight, Index n,
                      float* __restrict by_d, float* __restrict by_dd, float* __restrict by_rd) {
    for (Index i = 0; i < n; i++) {
        const Lack lack = lack_of(mean[i], spread[i], d[i], dd[i], rd[i], weight);
        const float structure = 1 - lack.structure, luminance = 1 - lack.luminance;
        const float by_variance = luminance * structure * lack.inverse_spread;
        const float by_covariance = -2 * (luminance * lack.structure * lack.inverse_spread);
        const float x = mean[i] + SHIFT + d[i];
        const float by_means = structure * 2 * (d[i] - lack.luminance * x) * lack.inverse_means;
        by_d[i] = by_means - 2 * d[i] * by_variance - mean[i] * by_covariance;
        by_dd[i] = by_variance;
        by_rd[i] = by_covariance;
    }
}

static double row_sum(const float* values, Index n) {
    double lanes[16] = {0};  // fixed lanes: the sum does not depend on the vector width
    Index i = 0;
    for (; i + 16 <= n; i += 16)
        for (int j = 0; j < 16; j++) lanes[j] += (double)values[i + j];
    for (; i < n; i++) lanes[0] += (double)values[i];
    double sum = 0;
    for (int j = 0; j < 16; j++) sum += lanes[j];
    return sum;
}

static void difference_row(const float* __restrict decoded, const float* __restrict reference, Index n,
                           float* __restrict d, float* __restrict dd, float* __restrict rd) {
    for (Index i = 0; i < n; i++) {
        const float difference = decoded[i] - reference[i];
        d[i] = difference, dd[i] = difference * difference, rd[i] = reference[i] * difference;
    }
}

static void gradient_row(const float* __restrict decoded, const float* __restrict reference,
                         const float* __restrict by_d, const float* __restrict by_dd, const float* __restrict by_rd,
                         Index n, float* __restrict out) {
    for (Index i = 0; i < n; i++)
        out[i] = by_d[i] + 2 * (decoded[i] - reference[i]) * by_dd[i] + reference[i] * by_rd[i];
}

// Each turn a row's moments enter, the windows five rows above are compared, and the gradient five
// rows further up is complete. scratch.error, like the rows of a blur, has local columns.
static double errors_tile(const SsimPlanes& p, SsimWindow window, float weight, const Tile& tile, Index begin,
                          Index end, SsimScratch& scratch, float* gradient) {
    SsimBlur &moments = scratch.moments, &slopes = scratch.slopes;
    const Taps across = taps_of(window.down), along = taps_of(window.along);
    memset(moments.padded, 0, sizeof moments.padded), memset(slopes.padded, 0, sizeof slopes.padded);
    const Index margin = gradient ? REACH : 0, count = tile.past_centred - tile.centred, c = tile.centred;
    const Index own = most(c, BORDER), own_past = least(tile.past_centred, BORDER + tile.columns);
    double sum = 0;
    for (Index y = begin - margin - REACH; y < end + margin + REACH; y++) {
        const bool inside = 0 <= y && y < p.height;
        if (inside) {
            const Index at = y * p.width + tile.first - BORDER + tile.present;
            float(*out)[PITCH] = moments.padded;
            difference_row(p.decoded + at, p.reference + at, tile.past - tile.present, out[0] + tile.present,
                           out[1] + tile.present, out[2] + tile.present);
        }
        push(moments, along, y, inside, c, tile.past_centred);
        const Index centre = y - REACH;
        if (centre < begin - margin) continue;
        const bool fits = window.down <= centre && centre < p.height - window.down && count > 0;
        if (fits) {
            pull(moments, across, centre, c, tile.past_centred);
            const Index at = centre * p.width + tile.first - BORDER + c;
            const float *d = moments.blurred[0] + c, *dd = moments.blurred[1] + c, *rd = moments.blurred[2] + c;
            if (begin <= centre && centre < end && own < own_past) {
                error_row(p.mean + at, p.spread + at, d, dd, rd, weight, count, scratch.error + c);
                sum += row_sum(scratch.error + own, own_past - own);
            }
            if (gradient)
                slope_row(p.mean + at, p.spread + at, d, dd, rd, weight, count, slopes.padded[0] + c,
                          slopes.padded[1] + c, slopes.padded[2] + c);
        }
        if (!gradient) continue;
        push(slopes, along, centre, fits, BORDER, BORDER + tile.columns);
        const Index row = centre - REACH;
        if (row < begin) continue;
        pull(slopes, across, row, BORDER, BORDER + tile.columns);
        const Index at = row * p.width + tile.first;
        gradient_row(p.decoded + at, p.reference + at, slopes.blurred[0] + BORDER, slopes.blurred[1] + BORDER,
                     slopes.blurred[2] + BORDER, tile.columns, gradient + at);
    }
    return sum;
}

static double errors(const SsimPlanes& planes, SsimWindow window, bool whole, Index begin, Index end,
                     SsimScratch& scratch, float* gradient) {
    double sum = 0;
    for (Index first = 0; first < planes.width; first += TILE) {
        const Tile tile = tile_at(first, planes.width, window.along, gradient ? REACH : 0);
        sum += errors_tile(planes, window, whole ? 1.f : 0.f, tile, begin, end, scratch, gradient);
    }
    return sum;
}

}  // namespace GRADPRESS_ISA

#define GRADPRESS_JOIN_OF(a, b) a##b
#define GRADPRESS_JOIN(a, b) GRADPRESS_JOIN_OF(a, b)

const SsimKernels GRADPRESS_JOIN(GRADPRESS_ISA, _ssim) = {
    GRADPRESS_ISA::luma,          GRADPRESS_ISA::grey,    GRADPRESS_ISA::scaled, GRADPRESS_ISA::halve,
    GRADPRESS_ISA::halve_adjoint, GRADPRESS_ISA::prepare, GRADPRESS_ISA::errors,
};

}  // namespace gradpress
