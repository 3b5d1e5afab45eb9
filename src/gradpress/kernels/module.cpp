// Python bindings: shapes and bounds are checked here, the GIL is released, kernels do the rest.
#include "binding.h"
#include "kernels.h"

#ifdef __GLIBC__
#include <malloc.h>
#endif

namespace gradpress {

void bind_butteraugli(nb::module_& m);
void bind_decode(nb::module_& m);
void bind_entropy(nb::module_& m);
void bind_ssim(nb::module_& m);
void bind_ssimulacra2(nb::module_& m);

namespace {

template <class Blocks>
void require_blocks(const Blocks& blocks) {
    require(blocks.shape(2) == 64, "blocks must be (rows, columns, 64)");
}

template <class Blocks, class Plane>
void require_plane(const Blocks& blocks, const Plane& plane) {
    require_blocks(blocks);
    require(plane.shape(0) == blocks.shape(0) * 8 && plane.shape(1) == blocks.shape(1) * 8,
            "the plane must be 8 times the block rows and columns");
}

template <class T>
void require_64(const In<T, 1>& values) {
    require(values.shape(0) == 64, "64 values are needed, in zigzag order");
}

void forward_dct(In<float, 2> plane, float shift, Out<float, 3> blocks, nb::object clamped) {
    require_plane(blocks, plane);
    const float* mask = nullptr;
    if (!clamped.is_none()) {
        auto array = nb::cast<In<float, 2>>(clamped);
        require_plane(blocks, array);
        mask = array.data();
    }
    nb::gil_scoped_release release;
    numeric().forward_dct(plane.data(), (int64_t)plane.shape(1), (int64_t)blocks.shape(0),
                          (int64_t)blocks.shape(1), shift, mask, blocks.data());
}

void inverse_dct(In<float, 3> blocks, float shift, float low, float high, Out<float, 2> plane) {
    require_plane(blocks, plane);
    numeric().inverse_dct(blocks.data(), (int64_t)blocks.shape(0), (int64_t)blocks.shape(1), shift, low,
                          high, plane.data(), (int64_t)plane.shape(1));
}

void dequantise(In<int16_t, 3> levels, In<float, 1> steps, Out<float, 3> blocks) {
    require_blocks(levels), require_64(steps);
    require(blocks.size() == levels.size(), "levels and coefficients must have one shape");
    numeric().dequantise(levels.data(), steps.data(), (int64_t)(levels.size() / 64), blocks.data());
}

void inverse_dct_exact(In<int16_t, 3> levels, In<int16_t, 1> steps, Out<uint8_t, 2> plane) {
    require_plane(levels, plane), require_64(steps);
    numeric().inverse_dct_exact(levels.data(), steps.data(), (int64_t)levels.shape(0),
                                (int64_t)levels.shape(1), plane.data(), (int64_t)plane.shape(1));
}

// height and width: the samples of the subsampled plane that lie in the picture.
template <class Plane>
void require_subsampled(const Plane& plane, int64_t height, int64_t width, int64_t v, size_t out_height,
                        size_t out_width) {
    require(v == 1 || v == 2, "v must be 1 or 2");
    require(0 < height && height <= (int64_t)plane.shape(0) && 0 < width && width <= (int64_t)plane.shape(1),
            "the subsampled size must lie inside its plane");
    require(((int64_t)out_height + v - 1) / v == height && ((int64_t)out_width + 1) / 2 == width,
            "the subsampled size must be half the size, rounded up");
}

template <class T, auto KERNEL>
void upsample(In<T, 2> plane, int64_t height, int64_t width, int64_t v, int64_t begin, int64_t end, Out<T, 2> out) {
    require_subsampled(plane, height, width, v, out.shape(0), out.shape(1));
    require(0 <= begin && begin <= end && end <= (int64_t)out.shape(0), "rows out of range");
    (numeric().*KERNEL)(plane.data(), (int64_t)plane.shape(1), height, width, v, begin, end,
                        (int64_t)out.shape(1), out.data() + begin * (int64_t)out.shape(1));
}

void upsample_adjoint(In<float, 2> gradient, int64_t height, int64_t width, int64_t v, int64_t begin, int64_t end,
                      Out<float, 2> out) {
    require_subsampled(out, height, width, v, gradient.shape(0), gradient.shape(1));
    require(0 <= begin && begin <= end && end <= height, "rows out of range");
    numeric().upsample_adjoint(gradient.data(), (int64_t)gradient.shape(0), (int64_t)gradient.shape(1),
                               height, width, v, begin, end, out.data(), (int64_t)out.shape(1));
}

// Planes of (height, width) samples that may lie in wider, padded arrays; rows begin..end.
template <class A, class... Rest>
void require_rows(int64_t begin, int64_t end, int64_t width, const A& first, const Rest&... rest) {
    const auto holds = [&](const auto& plane) {
        return end <= (int64_t)plane.shape(0) && width <= (int64_t)plane.shape(1);
    };
    require(0 <= begin && begin <= end && holds(first) && (holds(rest) && ...),
            "rows or width exceed a plane");
}

void ycc_to_rgb(In<float, 2> y, In<float, 2> cb, In<float, 2> cr, int64_t begin, int64_t end,
                Out<float, 3> rgb) {
    const int64_t height = (int64_t)rgb.shape(1), width = (int64_t)rgb.shape(2);
    require(rgb.shape(0) == 3 && end <= height, "rgb must be (3, height, width)");
    require_rows(begin, end, width, y, cb, cr);
    for (int64_t row = begin; row < end; row++) {
        float* out = rgb.data() + row * width;
        numeric().ycc_to_rgb(y.data() + row * (int64_t)y.shape(1), cb.data() + row * (int64_t)cb.shape(1),
                             cr.data() + row * (int64_t)cr.shape(1), width, out, out + height * width,
                             out + 2 * height * width);
    }
}

void ycc_to_rgb_adjoint(In<float, 2> y, In<float, 2> cb, In<float, 2> cr, In<float, 3> rgb,
                        int64_t begin, int64_t end, Out<float, 2> dy, Out<float, 2> dcb, Out<float, 2> dcr) {
    const int64_t height = (int64_t)rgb.shape(1), width = (int64_t)rgb.shape(2);
    require(rgb.shape(0) == 3 && end <= height, "rgb must be (3, height, width)");
    require_rows(begin, end, width, y, cb, cr, dy, dcb, dcr);
    for (int64_t row = begin; row < end; row++) {
        const float* in = rgb.data() + row * width;
        numeric().ycc_to_rgb_adjoint(
            y.data() + row * (int64_t)y.shape(1), cb.data() + row * (int64_t)cb.shape(1),
            cr.data() + row * (int64_t)cr.shape(1), in, in + height * width, in + 2 * height * width,
            width, dy.data() + row * (int64_t)dy.shape(1), dcb.data() + row * (int64_t)dcb.shape(1),
            dcr.data() + row * (int64_t)dcr.shape(1));
    }
}

void ycc_to_rgb_exact(In<uint8_t, 2> y, In<uint8_t, 2> cb, In<uint8_t, 2> cr, int64_t begin, int64_t end,
                      Out<uint8_t, 3> rgb) {
    const int64_t width = (int64_t)rgb.shape(1);
    require(rgb.shape(2) == 3 && end <= (int64_t)rgb.shape(0), "rgb must be (height, width, 3)");
    require_rows(begin, end, width, y, cb, cr);
    for (int64_t row = begin; row < end; row++)
        numeric().ycc_to_rgb_exact(
            y.data() + row * (int64_t)y.shape(1), cb.data() + row * (int64_t)cb.shape(1),
            cr.data() + row * (int64_t)cr.shape(1), width, rgb.data() + row * width * 3);
}

template <auto KERNEL>
double error(In<float, 1> decoded, In<float, 1> reference, nb::object gradient) {
    require(decoded.size() == reference.size(), "decoded and reference must have one size");
    float* out = nullptr;
    if (!gradient.is_none()) {
        auto array = nb::cast<Out<float, 1>>(gradient);
        require(array.size() == decoded.size(), "the gradient must have the size of decoded");
        out = array.data();
    }
    nb::gil_scoped_release release;
    return (numeric().*KERNEL)(decoded.data(), reference.data(), (int64_t)decoded.size(), out);
}

double squared_error_bytes(In<uint8_t, 3> decoded, In<float, 3> reference, int64_t begin, int64_t end) {
    const int64_t height = (int64_t)decoded.shape(0), width = (int64_t)decoded.shape(1);
    const int64_t channels = (int64_t)decoded.shape(2);
    require((int64_t)reference.shape(0) == channels && (int64_t)reference.shape(1) == height &&
                (int64_t)reference.shape(2) == width,
            "decoded must be (height, width, channels), reference (channels, height, width)");
    require(0 <= begin && begin <= end && end <= height, "rows out of range");
    double sum = 0;
    for (int64_t c = 0; c < channels; c++)
        sum += numeric().squared_error_bytes(decoded.data() + begin * width * channels + c, channels,
                                             reference.data() + (c * height + begin) * width,
                                             (end - begin) * width);
    return sum;
}

// Curvatures of every coefficient, or (1, 1, 64) that hold for all blocks; floats from one block to the next.
int64_t curvature_pitch(const In<float, 3>& curvature, const In<float, 3>& target) {
    const bool one = curvature.size() == 64 && curvature.shape(2) == 64;
    require(one || (curvature.size() == target.size() && curvature.shape(2) == 64),
            "curvature must have the target's shape or be (1, 1, 64)");
    return one ? 0 : 64;
}

double trellis_ac(In<float, 3> target, In<float, 3> curvature, In<float, 1> steps, In<float, 1> bits,
                  float empty_bits, float lagrangian, int64_t first, int64_t last, Out<int16_t, 3> levels) {
    require_blocks(target), require_64(steps);
    require(levels.size() == target.size(), "levels and target must have one shape");
    require(bits.shape(0) == 256, "bits must hold 256 values");
    require(1 <= first && first <= last && last <= 63, "the band must lie in 1..63");
    return numeric().trellis_ac(target.data(), curvature.data(), curvature_pitch(curvature, target), steps.data(), bits.data(), empty_bits,
                                lagrangian, first, last, (int64_t)(target.size() / 64), levels.data());
}

void require_order(const In<int32_t, 1>& order, int64_t blocks) {
    for (size_t i = 0; i < order.size(); i++)
        require(0 <= order.data()[i] && order.data()[i] < blocks, "order names a block out of range");
}

double dc(In<float, 3> target, In<float, 3> curvature, float step, In<float, 1> bits, float lagrangian,
          In<int32_t, 1> order, Out<int16_t, 3> levels) {
    require_blocks(target);
    require(levels.size() == target.size(), "levels and target must have one shape");
    require(bits.shape(0) == 16, "bits must hold 16 values");
    require_order(order, (int64_t)(target.size() / 64));
    return viterbi_dc(target.data(), curvature.data(), curvature_pitch(curvature, target), step, bits.data(), lagrangian, order.data(),
                      (int64_t)order.size(), levels.data());
}

// Lets freed planes be used again instead of going back to the system, which would hand out
// zeroed pages for each new one. It holds for the whole process; elsewhere than with glibc it
// does nothing.
bool keep_freed_memory() {
#ifdef __GLIBC__
    return mallopt(M_MMAP_THRESHOLD, 1 << 30) && mallopt(M_TRIM_THRESHOLD, 0x7fffffff);
#else
    return false;
#endif
}

}  // namespace
}  // namespace gradpress

NB_MODULE(_kernels, m) {
    using namespace gradpress;
    m.def("keep_freed_memory", &keep_freed_memory);
    m.def("instruction_set", [] { return numeric().name; });
    m.def("forward_dct", &forward_dct, "plane"_a, "shift"_a, "blocks"_a,
          "clamped"_a.none() = nb::none());
    m.def("inverse_dct", &inverse_dct, "blocks"_a, "shift"_a, "low"_a, "high"_a,
          "plane"_a, Free());
    m.def("dequantise", &dequantise, "levels"_a, "steps"_a, "blocks"_a, Free());
    m.def("inverse_dct_exact", &inverse_dct_exact, "levels"_a, "steps"_a, "plane"_a, Free());
    m.def("upsample", &upsample<float, &Numeric::upsample>, "plane"_a, "height"_a, "width"_a, "v"_a,
          "begin"_a, "end"_a, "out"_a, Free());
    m.def("upsample_exact", &upsample<uint8_t, &Numeric::upsample_exact>, "plane"_a, "height"_a,
          "width"_a, "v"_a, "begin"_a, "end"_a, "out"_a, Free());
    m.def("upsample_adjoint", &upsample_adjoint, "gradient"_a, "height"_a, "width"_a, "v"_a, "begin"_a,
          "end"_a, "out"_a, Free());
    m.def("ycc_to_rgb", &ycc_to_rgb, "y"_a, "cb"_a, "cr"_a, "begin"_a, "end"_a, "rgb"_a, Free());
    m.def("ycc_to_rgb_adjoint", &ycc_to_rgb_adjoint, "y"_a, "cb"_a, "cr"_a, "rgb"_a, "begin"_a,
          "end"_a, "dy"_a, "dcb"_a, "dcr"_a, Free());
    m.def("ycc_to_rgb_exact", &ycc_to_rgb_exact, "y"_a, "cb"_a, "cr"_a, "begin"_a, "end"_a, "rgb"_a,
          Free());
    m.def("squared_error", &error<&Numeric::squared_error>, "decoded"_a, "reference"_a,
          "gradient"_a.none());
    m.def("absolute_error", &error<&Numeric::absolute_error>, "decoded"_a, "reference"_a,
          "gradient"_a.none());
    m.def("squared_error_bytes", &squared_error_bytes, "decoded"_a, "reference"_a, "begin"_a, "end"_a,
          Free());
    m.def("trellis_ac", &trellis_ac, "target"_a, "curvature"_a, "steps"_a, "bits"_a, "empty_bits"_a,
          "lagrangian"_a, "first"_a, "last"_a, "levels"_a, Free());
    m.def("viterbi_dc", &dc, "target"_a, "curvature"_a, "step"_a, "bits"_a, "lagrangian"_a, "order"_a,
          "levels"_a, Free());
    bind_butteraugli(m);
    bind_decode(m);
    bind_entropy(m);
    bind_ssim(m);
    bind_ssimulacra2(m);
}
