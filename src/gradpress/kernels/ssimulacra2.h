// The kernels of SSIMULACRA2, by rows; see numeric.cpp's header for the rules they keep.
//
// A plane's rows lie one after the other. A blur is that of the published metric: nine taps in
// each direction, zeros outside the picture; it is its own adjoint.
#pragma once
#include <cstdint>

namespace gradpress {

// One component's planes at one scale, (height, width) each.
struct ScalePlanes {
    const float* reference;       // r
    const float* reference_mean;  // blur of r
    const float* reference_square;  // blur of r²
    const float* decoded;         // x
    float* mean;                  // blur of x, then ∂D by it
    float* square;                // blur of x², then ∂D by it
    float* product;               // blur of r x, then ∂D by it
    int64_t height, width;
};

// What multiplies ∂norm: for SSIM, added edges, lost edges: of the 1-norm, and of Σ d⁴.
struct ScaleSlopes {
    float first[3], fourth[3];
};

struct Ssimulacra2Kernels {
    // sRGB samples in [0, 255] to linear light in [0, 1] (IEC 61966-2-1), and the adjoint in place.
    void (*linear)(const float* srgb, int64_t n, float* out);
    void (*linear_adjoint)(const float* srgb, int64_t n, float* gradient);
    // Linear light to the metric's positive X, Y, B; and ∂D by (r, g, b) added to what is there.
    void (*xyb)(const float* r, const float* g, const float* b, int64_t n, float* x, float* y, float* out_b);
    void (*xyb_adjoint)(const float* r, const float* g, const float* b, const float* dx, const float* dy,
                        const float* db, int64_t n, float* out_r, float* out_g, float* out_b);
    // Means of 2×2 samples; the last row or column stands in for one that is missing.
    void (*halve)(const float* first, const float* second, int64_t width, float* out);
    void (*halve_adjoint)(const float* gradient, int64_t width, float scale, float* out);
    // Blurs of plane, and of its square when asked, rows begin..end.
    // scratch holds ring_floats(width) floats.
    void (*reference_moments)(const float* plane, int64_t height, int64_t width, int64_t begin, int64_t end,
                              float* scratch, float* mean, float* square);
    void (*moments)(const ScalePlanes& planes, int64_t begin, int64_t end, float* scratch);
    // Sums over rows begin..end: d, d⁴ of SSIM's error, of added edges and of lost edges.
    void (*sums)(const ScalePlanes& planes, int64_t begin, int64_t end, double sums[6]);
    // Moments become ∂D by them; gradient is ∂D by x as far as it goes past the blurs.
    void (*slopes)(const ScalePlanes& planes, const ScaleSlopes& slopes, int64_t begin, int64_t end, float* gradient);
    // Adds what goes through the blurs.
    void (*moments_adjoint)(const ScalePlanes& planes, int64_t begin, int64_t end, float* scratch, float* gradient);
    // The published tool's own blur: of first × second (or of first alone) along at most
    // RECURSIVE_ROWS rows, with scratch of 2 × RECURSIVE_ROWS × width floats; then across at most
    // RECURSIVE_COLUMNS columns.
    void (*recursive_along)(const float* first, const float* second, int64_t width, int64_t begin, int64_t count,
                            float* scratch, float* out);
    void (*recursive_across)(const float* in, int64_t height, int64_t width, int64_t begin, int64_t count, float* out);
};

extern const Ssimulacra2Kernels portable_ssimulacra2, avx2_ssimulacra2, avx512_ssimulacra2;

constexpr int RECURSIVE_ROWS = 8, RECURSIVE_COLUMNS = 64;
constexpr int BLUR_REACH = 4, BLUR_TAPS = 2 * BLUR_REACH + 1, BLUR_PAD = 16;

// Floats of scratch: three padded rows, and three rings of rows that were blurred along.
constexpr int64_t ring_floats(int64_t width) {
    return 3 * (width + 2 * BLUR_PAD) + 3 * BLUR_TAPS * (width + BLUR_PAD);
}

}  // namespace gradpress
