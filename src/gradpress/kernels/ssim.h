// The kernels of SSIM, by rows; see numeric.cpp's header for the rules they keep.
//
// With reference r, decoded x, difference d = x - r, and E, V and C for mean, variance and
// covariance in a window, SSIM's two factors are computed by how much they lack:
//   structure:  1 - (2 C(r, x) + C2) / (V(r) + V(x) + C2) = V(d) / (2 V(r) + 2 C(r, d) + V(d) + C2)
//   luminance:  1 - (2 E(r) E(x) + C1) / (E(r)² + E(x)² + C1) = E(d)² / (E(r)² + E(x)² + C1)
// Nothing cancels, so that small errors are as exact as large ones. Planes hold luma - 128.
#pragma once
#include <cstdint>

namespace gradpress {

constexpr int SSIM_REACH = 5, SSIM_TAPS = 2 * SSIM_REACH + 1;
// Columns that are handled together, and the floats that one of their rows takes with its borders.
constexpr int SSIM_TILE = 512, SSIM_PITCH = SSIM_TILE + 64;

// The window reaches this far from its centre, down and along, and stays inside the plane.
struct SsimWindow {
    int down, along;
};

// One scale: (height, width) planes, row by row.
struct SsimPlanes {
    const float* reference;  // r
    const float* mean;       // E(r)
    const float* spread;     // 2 V(r) + C2
    const float* decoded;    // x
    int64_t height, width;
};

// Three quantities: rows with their borders; rows blurred along, kept until the blur across has
// used them; rows blurred both ways.
struct SsimBlur {
    float padded[3][SSIM_PITCH];
    float ring[3][SSIM_TAPS][SSIM_PITCH];
    float blurred[3][SSIM_PITCH];
};

struct SsimScratch {
    SsimBlur moments, slopes;
    float error[SSIM_PITCH];
};

struct SsimKernels {
    // Luma (ITU-R BT.601) - 128 of n pixels, and what one component has of a gradient by luma.
    void (*luma)(const float* r, const float* g, const float* b, int64_t n, float* out);
    void (*grey)(const float* samples, int64_t n, float* out);
    void (*scaled)(const float* in, float scale, int64_t n, float* out);
    void (*halve)(const float* first, const float* second, int64_t width, float* out);
    void (*halve_adjoint)(const float* gradient, int64_t width, float scale, float* out);
    // Fills rows begin..end of mean and spread where a window fits.
    void (*prepare)(const float* reference, int64_t height, int64_t width, SsimWindow window, int64_t begin,
                    int64_t end, SsimScratch& scratch, float* mean, float* spread);
    // Sum of 1 - structure (or of 1 - luminance × structure: whole) over the windows centred in rows
    // begin..end. The gradient (may be null) of that sum over the whole plane by x, for these rows.
    double (*errors)(const SsimPlanes& planes, SsimWindow window, bool whole, int64_t begin, int64_t end,
                     SsimScratch& scratch, float* gradient);
};

extern const SsimKernels portable_ssim, avx2_ssim, avx512_ssim;

}  // namespace gradpress
