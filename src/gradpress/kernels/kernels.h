// The numeric kernels: arrays in, arrays out, no policy and no allocation.
//
// numeric.cpp is compiled once per instruction set, each time in a namespace of its own, so it
// must not use anything that the linker could merge between those copies (no standard library
// templates, no inline functions of other headers). Every kernel works on a range of rows, so
// that callers may share a picture between threads; a range's result never depends on the split.
//
// Floating point is strict IEEE (no contraction, no reassociation): every instruction set and
// any number of threads give the same bits.
#pragma once
#include <cstdint>

namespace gradpress {

struct Numeric {
    const char* name;

    // Blocks are (rows, columns, 64) in zigzag order; planes are row-major with a stride in samples.
    // The forward transform subtracts shift first, and with `clamped`, a plane of the same stride,
    // takes for zero what lies where that one is not inside 0…255. The inverse adds shift and
    // clamps to low…high: that mask is the clamp's part in the adjoint.
    void (*forward_dct)(const float* plane, int64_t stride, int64_t block_rows, int64_t block_columns,
                        float shift, const float* clamped, float* coefficients);
    void (*inverse_dct)(const float* coefficients, int64_t block_rows, int64_t block_columns, float shift,
                        float low, float high, float* plane, int64_t stride);
    void (*dequantise)(const int16_t* levels, const float* steps, int64_t blocks, float* coefficients);

    // libjpeg's integer inverse DCT ("islow") with range limiting: what viewers compute.
    void (*inverse_dct_exact)(const int16_t* levels, const int16_t* steps, int64_t block_rows,
                              int64_t block_columns, uint8_t* plane, int64_t stride);

    // libjpeg's "fancy" (triangle) chroma upsampling of output rows begin..end; v is 1 or 2.
    // height and width are those of the subsampled plane, out_width that of the result.
    void (*upsample)(const float* plane, int64_t stride, int64_t height, int64_t width, int64_t v, int64_t begin,
                     int64_t end, int64_t out_width, float* out);
    // Its adjoint, for rows begin..end of the subsampled plane.
    void (*upsample_adjoint)(const float* gradient, int64_t out_height, int64_t out_width, int64_t height,
                             int64_t width, int64_t v, int64_t begin, int64_t end, float* out, int64_t stride);
    void (*upsample_exact)(const uint8_t* plane, int64_t stride, int64_t height, int64_t width, int64_t v,
                           int64_t begin, int64_t end, int64_t out_width, uint8_t* out);

    // Samples to RGB, clamped, n pixels a row.
    void (*ycc_to_rgb)(const float* y, const float* cb, const float* cr, int64_t n, float* r, float* g,
                       float* b);
    // ∂D/∂(r, g, b) to ∂D/∂(y, cb, cr) at the samples given; zero where R, G or B is clamped.
    void (*ycc_to_rgb_adjoint)(const float* y, const float* cb, const float* cr, const float* dr,
                               const float* dg, const float* db, int64_t n, float* dy, float* dcb,
                               float* dcr);
    void (*ycc_to_rgb_exact)(const uint8_t* y, const uint8_t* cb, const uint8_t* cr, int64_t n,
                             uint8_t* rgb);

    // Sum of squares of decoded - reference; gradient (may be null) is 2 (decoded - reference).
    double (*squared_error)(const float* decoded, const float* reference, int64_t n, float* gradient);
    double (*absolute_error)(const float* decoded, const float* reference, int64_t n, float* gradient);

    // Sum of squares over n samples that lie `step` bytes apart, against a plane.
    double (*squared_error_bytes)(const uint8_t* decoded, int64_t step, const float* reference, int64_t n);

    // Levels of the AC coefficients first..last of each block that minimise
    //   sum ½ curvature (level step - target)² + lagrangian bits(level)
    // exactly, with the curvatures of a block `pitch` floats after those of the one before (0: the
    // same for all), given bits[run * 16 + size] (size bits included; run 15, size 0 is ZRL; 0, 0 is the
    // end of the band after a nonzero level) and the bits of a band of zeros.
    // Adds nothing outside first..last. Returns the minimum summed over the blocks.
    double (*trellis_ac)(const float* target, const float* curvature, int64_t pitch, const float* steps,
                         const float* bits, float empty_bits, float lagrangian, int64_t first,
                         int64_t last, int64_t blocks, int16_t* levels);
};

extern const Numeric portable_kernels, avx2_kernels, avx512_kernels;

// The best instruction set that this processor runs: 0 portable, 1 AVX2, 2 AVX-512.
// GRADPRESS_ISA=portable or avx2 in the environment asks for less.
int instruction_set();

// Its kernels.
const Numeric& numeric();

// Viterbi along `order` (block indices in scan order) over levels within `reach` of the rounded
// target; bits[size] includes the size bits. Writes position 0 of each block.
double viterbi_dc(const float* target, const float* curvature, int64_t pitch, float step, const float* bits,
                  float lagrangian, const int32_t* order, int64_t blocks, int16_t* levels);

}  // namespace gradpress
