// SSIMULACRA2's row kernels, compiled once per instruction set.
//
// Source of every constant: the metric's published reference implementation (version 2.1, Jon
// Sneyers, Cloudinary) and JPEG XL's opsin transform (ISO/IEC 18181-1). Linear light, roots and means
// are computed in the very steps of libjxl (transfer_functions-inl.h, fast_math-inl.h, enc_xyb.cc):
// blurs of flat areas magnify their rounding errors, so that scores hang on the last bit.
#include "ssimulacra2.h"

#include <math.h>
#include <string.h>

namespace gradpress {
namespace GRADPRESS_ISA {

typedef int64_t Index;

static const float BIAS = 0.0037930732552754493f, BIAS_ROOT = 0.15595420054924863f;  // and its cube root
static const float OPSIN[3][3] = {
    {.3f, 1.f - .078f - .3f, .078f},
    {.23f, 1.f - .078f - .23f, .078f},
    {.24342268924547819f, .20476744424496821f, 1.f - .24342268924547819f - .20476744424496821f}};
static const float C2 = .0009f;

// v^(-1/3) and v^(-1/5) for positive v: a guess by the exponent, then Newton's steps.
static inline float inverse_cube_root(float v) {
    int32_t bits;
    memcpy(&bits, &v, 4);
    bits = 0x54a21d2a - (int32_t)((float)bits * (1.f / 3));
    float z;
    memcpy(&z, &bits, 4);
    for (int i = 0; i < 3; i++) z = z * (4.f / 3 - v * (1.f / 3) * (z * z * z));
    return z;
}

static inline float inverse_fifth_root(float v) {
    int32_t bits;
    memcpy(&bits, &v, 4);
    bits = 0x4c2bb4d6 - (int32_t)((float)bits * .2f);
    float z;
    memcpy(&z, &bits, 4);
    for (int i = 0; i < 3; i++) {
        const float z2 = z * z;
        z = z * (1.2f - v * .2f * (z2 * z2 * z));
    }
    return z;
}

static inline float clamped(float v) { return v < 0 ? 0.f : v > 255 ? 255.f : v; }

static inline float fused(float a, float b, float c) { return fmaf(a, b, c); }

// sRGB's curve as a quotient of polynomials; off by at most 5e-7.
static void linear(const float* __restrict srgb, Index n, float* __restrict out) {
    for (Index i = 0; i < n; i++) {
        const float v = clamped(srgb[i]) * (1.f / 255);
        float over = fused(.8210152774f, v, .7961564959f), under = fused(.006521209011f, v, -.05512498495f);
        over = fused(over, v, .1624820318f), under = fused(under, v, .498752835f);
        over = fused(over, v, .01043637593f), under = fused(under, v, 1.076976492f);
        over = fused(over, v, .0002200248328f), under = fused(under, v, .263184697f);
        const float straight = v * (1 / 12.92f), power = over / under;
        out[i] = v <= .04045f ? straight : power;
    }
}

static void linear_adjoint(const float* __restrict srgb, Index n, float* __restrict gradient) {
    for (Index i = 0; i < n; i++) {
        const float v = clamped(srgb[i]) * (1.f / 255), u = (v + .055f) * (1 / 1.055f);
        const float z = inverse_fifth_root(u), z2 = z * z, root = u * z2 * z2;
        const float power = u * root * root * (2.4f / 1.055f / 255), straight = 1 / 12.92f / 255;
        const float inside = srgb[i] < 0 || srgb[i] > 255 ? 0.f : 1.f;
        gradient[i] *= (v <= .04045f ? straight : power) * inside;
    }
}

static inline float mixed(const float* row, float r, float g, float b) {
    return fused(row[0], r, fused(row[1], g, fused(row[2], b, BIAS)));
}

// Cube root of a positive v, less that of the bias.
static inline float root_of(float v) {
    int32_t bits;
    memcpy(&bits, &v, 4);
    bits = 0x54800000 - (bits >> 23) * 0x2aaaaa;
    float z;
    memcpy(&z, &bits, 4);
    for (int i = 0; i < 3; i++) {
        const float z2 = z * z;
        z = fused(-(1.f / 3 * v), z2 * z2, 4.f / 3 * z);
    }
    const float z2 = z * z;
    z = fused(1.f / 3, fused(-v, z2 * z2, z), z);
    return fused(z * z, v, -BIAS_ROOT);
}

static void xyb(const float* __restrict r, const float* __restrict g, const float* __restrict b, Index n,
                float* __restrict x, float* __restrict y, float* __restrict out_b) {
    for (Index i = 0; i < n; i++) {
        const float l = root_of(mixed(OPSIN[0], r[i], g[i], b[i])), m = root_of(mixed(OPSIN[1], r[i], g[i], b[i]));
        const float s = root_of(mixed(OPSIN[2], r[i], g[i], b[i])), luma = .5f * (l + m);
        x[i] = .5f * (l - m) * 14 + .42f;
        y[i] = luma + .01f;
        out_b[i] = (s - luma) + .55f;
    }
}

static void xyb_adjoint(const float* __restrict r, const float* __restrict g, const float* __restrict b,
                        const float* __restrict dx, const float* __restrict dy, const float* __restrict db, Index n,
                        float* __restrict out_r, float* __restrict out_g, float* __restrict out_b) {
    for (Index i = 0; i < n; i++) {
        const float zl = inverse_cube_root(mixed(OPSIN[0], r[i], g[i], b[i]));
        const float zm = inverse_cube_root(mixed(OPSIN[1], r[i], g[i], b[i]));
        const float zs = inverse_cube_root(mixed(OPSIN[2], r[i], g[i], b[i]));
        const float luma = .5f * (dy[i] - db[i]);
        const float dl = (luma + 7 * dx[i]) * (zl * zl) * (1.f / 3);
        const float dm = (luma - 7 * dx[i]) * (zm * zm) * (1.f / 3);
        const float ds = db[i] * (zs * zs) * (1.f / 3);
        out_r[i] += OPSIN[0][0] * dl + OPSIN[1][0] * dm + OPSIN[2][0] * ds;
        out_g[i] += OPSIN[0][1] * dl + OPSIN[1][1] * dm + OPSIN[2][1] * ds;
        out_b[i] += OPSIN[0][2] * dl + OPSIN[1][2] * dm + OPSIN[2][2] * ds;
    }
}

static void halve(const float* __restrict first, const float* __restrict second, Index width, float* __restrict out) {
    for (Index i = 0; i < width / 2; i++)
        out[i] = .25f * (first[2 * i] + first[2 * i + 1] + second[2 * i] + second[2 * i + 1]);
    const float last = first[width - 1], below = second[width - 1];
    if (width & 1) out[width / 2] = .25f * (last + last + below + below);
}

static void halve_adjoint(const float* __restrict gradient, Index width, float scale, float* __restrict out) {
    for (Index i = 0; i < width / 2; i++) {
        out[2 * i] += scale * gradient[i];
        out[2 * i + 1] += scale * gradient[i];
    }
    if (width & 1) out[width - 1] += 2 * scale * gradient[width / 2];
}

// JPEG XL's recursive Gaussian for sigma 1.5 has an impulse response that ends after four samples.
static const float TAPS[BLUR_REACH + 1] = {.2646211054881985f, .2129285920104222f, .1093353727774603f,
                                           .0360111146583644f, .0094143678096537f};

// padded[-4 … n + 3] must be there.
static void blur_along(const float* __restrict padded, Index n, float* __restrict out) {
    for (Index i = 0; i < n; i++)
        out[i] = TAPS[0] * padded[i] + TAPS[1] * (padded[i - 1] + padded[i + 1]) +
                 TAPS[2] * (padded[i - 2] + padded[i + 2]) + TAPS[3] * (padded[i - 3] + padded[i + 3]) +
                 TAPS[4] * (padded[i - 4] + padded[i + 4]);
}

static void blur_across(const float* const* rows, Index n, float* __restrict out) {
    const float *a = rows[0], *b = rows[1], *c = rows[2], *d = rows[3], *e = rows[4];
    const float *f = rows[5], *g = rows[6], *h = rows[7], *k = rows[8];
    for (Index i = 0; i < n; i++)
        out[i] = TAPS[0] * e[i] + TAPS[1] * (d[i] + f[i]) + TAPS[2] * (c[i] + g[i]) + TAPS[3] * (b[i] + h[i]) +
                 TAPS[4] * (a[i] + k[i]);
}

// Rows of up to three planes, blurred along, kept until the blur across has used them.
struct Ring {
    float* padded[3];
    float* rows[3];
    Index width, pitch, planes;
};

static Ring ring_in(float* scratch, Index width, Index planes) {
    Ring ring;
    ring.width = width, ring.pitch = width + BLUR_PAD, ring.planes = planes;
    for (int p = 0; p < 3; p++) {
        ring.padded[p] = scratch + p * (width + 2 * BLUR_PAD);
        memset(ring.padded[p], 0, sizeof(float) * (size_t)(width + 2 * BLUR_PAD));
        ring.padded[p] += BLUR_PAD;
        ring.rows[p] = scratch + 3 * (width + 2 * BLUR_PAD) + p * BLUR_TAPS * ring.pitch;
    }
    return ring;
}

static float* ring_row(const Ring& ring, int plane, Index y) {
    return ring.rows[plane] + (y + BLUR_TAPS) % BLUR_TAPS * ring.pitch;
}

static void ring_push(const Ring& ring, Index y, bool inside) {
    for (int p = 0; p < ring.planes; p++)
        if (inside) blur_along(ring.padded[p], ring.width, ring_row(ring, p, y));
        else memset(ring_row(ring, p, y), 0, sizeof(float) * (size_t)ring.width);
}

static void ring_pull(const Ring& ring, int plane, Index y, float* out) {
    const float* rows[BLUR_TAPS];
    for (int k = 0; k < BLUR_TAPS; k++) rows[k] = ring_row(ring, plane, y - BLUR_REACH + k);
    blur_across(rows, ring.width, out);
}

static void reference_moments(const float* plane, Index height, Index width, Index begin, Index end,
                              float* scratch, float* mean, float* square) {
    const Ring ring = ring_in(scratch, width, 2);
    for (Index y = begin - BLUR_REACH; y < end + BLUR_REACH; y++) {
        const bool inside = 0 <= y && y < height;
        if (inside) {
            const float* __restrict row = plane + y * width;
            for (Index i = 0; i < width; i++) ring.padded[0][i] = row[i];
            for (Index i = 0; i < width; i++) ring.padded[1][i] = row[i] * row[i];
        }
        ring_push(ring, y, inside);
        const Index done = y - BLUR_REACH;
        if (done < begin) continue;
        ring_pull(ring, 0, done, mean + done * width);
        ring_pull(ring, 1, done, square + done * width);
    }
}

static void moments(const ScalePlanes& planes, Index begin, Index end, float* scratch) {
    const Index width = planes.width;
    const Ring ring = ring_in(scratch, width, 3);
    for (Index y = begin - BLUR_REACH; y < end + BLUR_REACH; y++) {
        const bool inside = 0 <= y && y < planes.height;
        if (inside) {
            const float *x = planes.decoded + y * width, *r = planes.reference + y * width;
            float *__restrict a = ring.padded[0], *__restrict b = ring.padded[1], *__restrict c = ring.padded[2];
            for (Index i = 0; i < width; i++) a[i] = x[i], b[i] = x[i] * x[i], c[i] = r[i] * x[i];
        }
        ring_push(ring, y, inside);
        const Index done = y - BLUR_REACH;
        if (done < begin) continue;
        ring_pull(ring, 0, done, planes.mean + done * width);
        ring_pull(ring, 1, done, planes.square + done * width);
        ring_pull(ring, 2, done, planes.product + done * width);
    }
}

// SSIM without the denominator of its first factor, as an error.
struct Similarity {
    float means, products, variances;
};

static inline Similarity similarity(float m1, float m2, float s11, float s22, float s12) {
    Similarity s;
    s.means = 1 - (m1 - m2) * (m1 - m2);
    s.products = 2 * (s12 - m1 * m2) + C2;
    s.variances = (s11 - m1 * m1) + (s22 - m2 * m2) + C2;
    return s;
}

static inline float magnitude(float v) { return v < 0 ? -v : v; }
static inline float positive(float v) { return v > 0 ? v : 0.f; }
static inline float fourth(float v) { return (v * v) * (v * v); }

// Adds the errors of `count` (at most 16) samples to as many lanes of the six sums.
static inline void add_errors(const ScalePlanes& p, Index at, int count, float* __restrict lanes) {
    const float *__restrict r = p.reference + at, *__restrict m1 = p.reference_mean + at;
    const float *__restrict s11 = p.reference_square + at, *__restrict x = p.decoded + at;
    const float *__restrict m2 = p.mean + at, *__restrict s22 = p.square + at, *__restrict s12 = p.product + at;
    for (int j = 0; j < count; j++) {
        const Similarity s = similarity(m1[j], m2[j], s11[j], s22[j], s12[j]);
        const float error = positive(1 - s.means * s.products / s.variances);
        const float edge = (1 + magnitude(x[j] - m2[j])) / (1 + magnitude(r[j] - m1[j])) - 1;
        const float added = positive(edge), lost = positive(-edge);
        lanes[j] += error, lanes[16 + j] += fourth(error);
        lanes[32 + j] += added, lanes[48 + j] += fourth(added);
        lanes[64 + j] += lost, lanes[80 + j] += fourth(lost);
    }
}

static void sums(const ScalePlanes& p, Index begin, Index end, double out[6]) {
    for (int t = 0; t < 6; t++) out[t] = 0;
    for (Index y = begin; y < end; y++) {
        float lanes[96] = {0};  // fixed lanes: the sums do not depend on the vector width
        Index i = 0;
        for (; i + 16 <= p.width; i += 16) add_errors(p, y * p.width + i, 16, lanes);
        add_errors(p, y * p.width + i, (int)(p.width - i), lanes);
        for (int t = 0; t < 6; t++)
            for (int j = 0; j < 16; j++) out[t] += (double)lanes[16 * t + j];
    }
}

static void slopes_row(const float* __restrict r, const float* __restrict m1, const float* __restrict s11,
                       const float* __restrict x, float* __restrict m2, float* __restrict s22,
                       float* __restrict s12, const ScaleSlopes& slopes, Index n, float* __restrict gradient) {
    const float w0 = slopes.first[0], w1 = slopes.first[1], w2 = slopes.first[2];
    const float v0 = slopes.fourth[0], v1 = slopes.fourth[1], v2 = slopes.fourth[2];
    for (Index i = 0; i < n; i++) {
        const Similarity s = similarity(m1[i], m2[i], s11[i], s22[i], s12[i]);
        const float inverse = 1 / s.variances, ratio = s.products * inverse;
        const float error = 1 - s.means * ratio;
        const float by_error = error > 0 ? w0 + v0 * (error * error * error) : 0.f;
        const float by_products = -s.means * inverse * by_error, by_variances = s.means * ratio * inverse * by_error;
        const float by_means = -ratio * by_error;

        const float difference = x[i] - m2[i], scale = 1 / (1 + magnitude(r[i] - m1[i]));
        const float edge = (1 + magnitude(difference)) * scale - 1, cube = edge * edge * edge;
        const float by_edge = edge > 0 ? w1 + v1 * cube : edge < 0 ? v2 * cube - w2 : 0.f;
        const float sign = difference > 0 ? 1.f : difference < 0 ? -1.f : 0.f;
        const float by_difference = sign * scale * by_edge;

        gradient[i] = by_difference;
        const float by_mean = 2 * (m1[i] - m2[i]) * by_means - 2 * m1[i] * by_products - 2 * m2[i] * by_variances;
        m2[i] = by_mean - by_difference;
        s22[i] = by_variances;
        s12[i] = 2 * by_products;
    }
}

static void slopes(const ScalePlanes& p, const ScaleSlopes& by_norm, Index begin, Index end, float* gradient) {
    const Index at = begin * p.width;
    slopes_row(p.reference + at, p.reference_mean + at, p.reference_square + at, p.decoded + at, p.mean + at,
               p.square + at, p.product + at, by_norm, (end - begin) * p.width, gradient + at);
}

static void moments_adjoint(const ScalePlanes& planes, Index begin, Index end, float* scratch, float* gradient) {
    const Index width = planes.width;
    const Ring ring = ring_in(scratch, width, 3);
    for (Index y = begin - BLUR_REACH; y < end + BLUR_REACH; y++) {
        const bool inside = 0 <= y && y < planes.height;
        if (inside) {
            const size_t bytes = sizeof(float) * (size_t)width;
            memcpy(ring.padded[0], planes.mean + y * width, bytes);
            memcpy(ring.padded[1], planes.square + y * width, bytes);
            memcpy(ring.padded[2], planes.product + y * width, bytes);
        }
        ring_push(ring, y, inside);
        const Index done = y - BLUR_REACH;
        if (done < begin) continue;
        const float *x = planes.decoded + done * width, *r = planes.reference + done * width;
        float *__restrict out = gradient + done * width, *a = ring.padded[0], *b = ring.padded[1], *c = ring.padded[2];
        ring_pull(ring, 0, done, a), ring_pull(ring, 1, done, b), ring_pull(ring, 2, done, c);
        for (Index i = 0; i < width; i++) out[i] += a[i] + 2 * x[i] * b[i] + r[i] * c[i];
    }
}

#include "recursive_gaussian.h"

}  // namespace GRADPRESS_ISA

#define GRADPRESS_JOIN_OF(a, b) a##b
#define GRADPRESS_JOIN(a, b) GRADPRESS_JOIN_OF(a, b)

const Ssimulacra2Kernels GRADPRESS_JOIN(GRADPRESS_ISA, _ssimulacra2) = {
    GRADPRESS_ISA::linear,           GRADPRESS_ISA::linear_adjoint,
    GRADPRESS_ISA::xyb,              GRADPRESS_ISA::xyb_adjoint,
    GRADPRESS_ISA::halve,            GRADPRESS_ISA::halve_adjoint,
    GRADPRESS_ISA::reference_moments, GRADPRESS_ISA::moments,
    GRADPRESS_ISA::sums,             GRADPRESS_ISA::slopes,
    GRADPRESS_ISA::moments_adjoint,  GRADPRESS_ISA::recursive_along,
    GRADPRESS_ISA::recursive_across,
};

}  // namespace gradpress
