// Butteraugli's kernels: building blocks that Python composes into the metric and its gradient.
//
// The metric is the one of libjxl 0.7 (lib/jxl/butteraugli/butteraugli.cc), which is the source of
// every constant in these files. As with the numeric kernels, butteraugli.cpp is compiled once per
// instruction set, every kernel works on a range of rows, and all give the same bits.
//
// A kernel named …_adjoint takes a gradient by the outputs of its namesake and gives the one by its
// inputs. n counts the samples of each plane that a pointwise kernel handles.
#pragma once
#include <cstdint>

namespace gradpress {

// Several planes of rows without gaps; plane c begins `step` samples after plane c - 1.
struct Planes {
    const float* first;
    int64_t step;
};
struct MutablePlanes {
    float* first;
    int64_t step;
};

enum class Border : int32_t { normalised, normalised_adjoint, mirrored };

// How two pictures' bands are compared before the line sums: see `malta_difference`.
struct MaltaWeights {
    float above;  // weight of the plain difference
    float below;  // weight of what is far too small or too large
    float norm;   // amplitude from which differences count less
};

// Rows and columns of zeros around what the line sums read: twice the reach of a line, so that
// the adjoint may use the same array.
constexpr int64_t MALTA_MARGIN = 8;

struct Butteraugli {
    // sRGB samples in [0, 255] to light in nits, 0…80.
    void (*light)(const float* encoded, int64_t n, float* nits);
    void (*light_adjoint)(const float* encoded, const float* gradient, int64_t n, float* out);

    // Every 2 × 2 pixels summed with weight ¼; at an odd edge, where two or one are missing, those
    // there are weigh `edge` times as much for each direction (2: a mean). Rows of the small plane.
    void (*halve)(const float* plane, int64_t height, int64_t width, float edge, int64_t begin, int64_t end,
                  float* out);
    // Its adjoint, added to rows begin..end of the large plane.
    void (*halve_adjoint)(const float* gradient, int64_t height, int64_t width, float edge, int64_t begin,
                          int64_t end, float* out);

    // Rows begin..end of a separable symmetric blur; taps[0..radius] sum to 1 with their mirror
    // images; the radius is 2, 3, 6, 7 or 16. Normalised: what lies outside has no weight, the rest is scaled up to make 1.
    // Mirrored: the picture repeats backwards, which makes the blur its own adjoint.
    void (*blur)(const float* plane, int64_t height, int64_t width, const float* taps, int64_t radius,
                 Border border, int64_t begin, int64_t end, float* out);

    // Light (R, G, B) and its surroundings to X, Y, B.
    void (*opsin)(Planes light, Planes blurred, int64_t n, MutablePlanes xyb);
    void (*opsin_adjoint)(Planes light, Planes blurred, Planes gradient, int64_t n, MutablePlanes by_light,
                          MutablePlanes by_blurred);

    // X and Y without the low frequencies, and their blur, to middle and high ones.
    void (*split_middle)(Planes whole, Planes low, int64_t n, MutablePlanes middle, MutablePlanes high);
    // To the gradient by `low`; that by `whole` is that by `high`.
    void (*split_middle_adjoint)(Planes middle, Planes by_middle, Planes by_high, int64_t n,
                                 MutablePlanes by_low);
    // X is seen less where Y is large.
    void (*suppress)(const float* x, const float* y, int64_t n, float* out);
    // Adds to by_y; by_x is overwritten.
    void (*suppress_adjoint)(const float* x, const float* y, const float* gradient, int64_t n, float* by_x,
                             float* by_y);
    // High frequencies, X (suppressed) and Y, and their blur, to high and ultra-high ones.
    void (*split_high)(Planes whole, Planes low, int64_t n, MutablePlanes high, MutablePlanes ultra);
    void (*split_high_adjoint)(Planes high, Planes ultra, Planes by_high, Planes by_ultra, int64_t n,
                               MutablePlanes by_low, MutablePlanes by_whole);

    // How busy a place is, from the (high, ultra-high) bands: X, Y, X, Y.
    void (*activity)(Planes bands, int64_t n, float* out);
    // Adds to the gradient by those four bands.
    void (*activity_adjoint)(Planes bands, const float* gradient, int64_t n, MutablePlanes by_bands);
    // The least busy of the neighbours three pixels away, softly: the mask.
    void (*erode)(const float* plane, int64_t height, int64_t width, int64_t begin, int64_t end, float* out);

    // The weighted difference of one band, rows begin - MALTA_MARGIN..end + MALTA_MARGIN, with the
    // margin on all sides; zero outside the picture.
    void (*malta_difference)(const float* reference, const float* decoded, int64_t height, int64_t width,
                             MaltaWeights weights, int64_t begin, int64_t end, float* out);
    // Adds to the gradient by `decoded`.
    void (*malta_difference_adjoint)(const float* reference, const float* decoded, const float* gradient,
                                     int64_t n, MaltaWeights weights, float* out);
    // Adds the squared sums along sixteen lines through each pixel of `rows` rows; `dense` sums
    // every sample of a line of nine, else five of them.
    void (*malta)(const float* differences, int64_t rows, int64_t width, int32_t dense, float* out);
    // `gradient` has the margin that `differences` has, zero outside the picture.
    void (*malta_adjoint)(const float* differences, const float* gradient, int64_t rows, int64_t width,
                          int32_t dense, float* out);

    // Weighted squares of the low bands' differences, X, Y and B; its adjoint overwrites.
    void (*low_errors)(Planes reference, Planes decoded, int64_t n, float* out);
    void (*low_errors_adjoint)(Planes reference, Planes decoded, const float* gradient, int64_t n,
                               MutablePlanes by_decoded);
    // Adds the weighted squares of a band's differences; of what is below 0.4 of the reference or
    // above it. The adjoints, by `decoded`, add too.
    void (*squares)(const float* reference, const float* decoded, int64_t n, float weight, float* out);
    void (*squares_adjoint)(const float* reference, const float* decoded, const float* gradient, int64_t n,
                            float weight, float* out);
    void (*far_squares)(const float* reference, const float* decoded, int64_t n, float weight, float* out);
    void (*far_squares_adjoint)(const float* reference, const float* decoded, const float* gradient, int64_t n,
                                float weight, float* out);

    // Errors of the higher bands, with those of activity (blurred) added, and of the low ones,
    // masked and summed to a distance.
    void (*combine)(const float* ac, const float* dc, const float* busy, const float* busy_decoded,
                    const float* mask, int64_t n, float* distance);
    void (*combine_adjoint)(const float* distance, const float* busy, const float* busy_decoded,
                            const float* mask, const float* gradient, int64_t n, float* by_ac, float* by_dc,
                            float* by_busy);

    // Rows begin..end with the half-sized picture's distances added, and the sums of the 3rd, 6th
    // and 12th powers of the n values in `total`, and the largest of them.
    void (*add_half)(const float* distance, const float* half, int64_t width, int64_t begin, int64_t end,
                     float* total);
    void (*pool)(const float* total, int64_t n, double* sums);
    // The gradient of weights[k] times sum k, by the values.
    void (*pool_adjoint)(const float* total, const double* weights, int64_t n, float* out);
};

extern const Butteraugli portable_butteraugli, avx2_butteraugli, avx512_butteraugli;

}  // namespace gradpress
