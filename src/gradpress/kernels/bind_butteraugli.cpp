// Python bindings of Butteraugli's kernels: shapes are checked here (see butteraugli.h).
#include "binding.h"
#include "butteraugli.h"
#include "kernels.h"

namespace gradpress {

namespace {

const Butteraugli& kernels() {
#ifdef GRADPRESS_X86
    const Butteraugli* sets[] = {&portable_butteraugli, &avx2_butteraugli, &avx512_butteraugli};
    return *sets[instruction_set()];
#else
    return portable_butteraugli;
#endif
}

// Planes of rows without gaps, a whole number of rows apart: slices of rows of a stack of planes.
using Stack = nb::ndarray<const float, nb::ndim<3>, nb::device::cpu>;
using MutableStack = nb::ndarray<float, nb::ndim<3>, nb::device::cpu>;
using Plane = In<float, 2>;
using MutablePlane = Out<float, 2>;

template <class A>
void require_rows_without_gaps(const A& stack) {
    require(stack.stride(2) == 1 && (stack.shape(1) == 1 || stack.stride(1) == (int64_t)stack.shape(2)),
            "rows of planes must follow each other without gaps");
}

Planes planes(const Stack& stack, size_t count) {
    require_rows_without_gaps(stack);
    require(stack.shape(0) == count, "a stack holds another number of planes");
    return {stack.data(), stack.stride(0)};
}

MutablePlanes planes(const MutableStack& stack, size_t count) {
    require_rows_without_gaps(stack);
    require(stack.shape(0) == count, "a stack holds another number of planes");
    return {stack.data(), stack.stride(0)};
}

// Samples of a plane, of which all arguments must have as many, in rows of one length.
template <class A, class... Rest>
int64_t samples(const A& first, const Rest&... rest) {
    const auto height = [](const auto& a) { return a.shape(a.ndim() - 2); };
    const auto width = [](const auto& a) { return a.shape(a.ndim() - 1); };
    require(((height(rest) == height(first) && width(rest) == width(first)) && ...),
            "planes must have one shape");
    return (int64_t)(height(first) * width(first));
}

void require_range(int64_t begin, int64_t end, size_t rows) {
    require(0 <= begin && begin <= end && end <= (int64_t)rows, "rows out of range");
}

template <class A>
void require_stripe(int64_t begin, int64_t end, const A& stripe, size_t width) {
    require(begin <= end && (int64_t)stripe.shape(0) == end - begin && stripe.shape(1) == width,
            "a stripe must have end - begin rows of the plane's width");
}

void light(Plane encoded, MutablePlane nits) {
    kernels().light(encoded.data(), samples(encoded, nits), nits.data());
}

void light_adjoint(Plane encoded, Plane gradient, MutablePlane out) {
    kernels().light_adjoint(encoded.data(), gradient.data(), samples(encoded, gradient, out), out.data());
}

template <class Small, class Large>
void require_half(const Small& small, const Large& large) {
    require(small.shape(0) == (large.shape(0) + 1) / 2 && small.shape(1) == (large.shape(1) + 1) / 2,
            "the small plane must be half as large, rounded up");
}

void halve(Plane plane, float edge, int64_t begin, int64_t end, MutablePlane out) {
    require_half(out, plane), require_range(begin, end, out.shape(0));
    kernels().halve(plane.data(), (int64_t)plane.shape(0), (int64_t)plane.shape(1), edge, begin, end,
                    out.data() + begin * (int64_t)out.shape(1));
}

void halve_adjoint(Plane gradient, float edge, int64_t begin, int64_t end, MutablePlane out) {
    require_half(gradient, out), require_range(begin, end, out.shape(0));
    kernels().halve_adjoint(gradient.data(), (int64_t)out.shape(0), (int64_t)out.shape(1), edge, begin, end,
                            out.data() + begin * (int64_t)out.shape(1));
}

template <Border BORDER>
void blur(Plane plane, In<float, 1> taps, int64_t begin, int64_t end, MutablePlane out) {
    const size_t n = taps.size();
    require(n == 3 || n == 4 || n == 7 || n == 8 || n == 17, "there must be 3, 4, 7, 8 or 17 taps");
    require_range(begin, end, plane.shape(0)), require_stripe(begin, end, out, plane.shape(1));
    kernels().blur(plane.data(), (int64_t)plane.shape(0), (int64_t)plane.shape(1), taps.data(),
                   (int64_t)taps.size() - 1, BORDER, begin, end, out.data());
}

void opsin(Stack light, Stack blurred, MutableStack xyb) {
    kernels().opsin(planes(light, 3), planes(blurred, 3), samples(light, blurred, xyb), planes(xyb, 3));
}

void opsin_adjoint(Stack light, Stack blurred, Stack gradient, MutableStack by_light, MutableStack by_blurred) {
    kernels().opsin_adjoint(planes(light, 3), planes(blurred, 3), planes(gradient, 3),
                            samples(light, blurred, gradient, by_light, by_blurred), planes(by_light, 3),
                            planes(by_blurred, 3));
}

template <auto SPLIT>
void split(Stack whole, Stack low, MutableStack lower, MutableStack higher) {
    (kernels().*SPLIT)(planes(whole, 2), planes(low, 2), samples(whole, low, lower, higher), planes(lower, 2),
                       planes(higher, 2));
}

void split_middle_adjoint(Stack middle, Stack by_middle, Stack by_high, MutableStack by_low) {
    kernels().split_middle_adjoint(planes(middle, 2), planes(by_middle, 2), planes(by_high, 2),
                                   samples(middle, by_middle, by_high, by_low), planes(by_low, 2));
}

void split_high_adjoint(Stack high, Stack ultra, Stack by_high, Stack by_ultra, MutableStack by_low,
                        MutableStack by_whole) {
    kernels().split_high_adjoint(planes(high, 2), planes(ultra, 2), planes(by_high, 2), planes(by_ultra, 2),
                                 samples(high, ultra, by_high, by_ultra, by_low, by_whole),
                                 planes(by_low, 2), planes(by_whole, 2));
}

void suppress(Plane x, Plane y, MutablePlane out) {
    kernels().suppress(x.data(), y.data(), samples(x, y, out), out.data());
}

void suppress_adjoint(Plane x, Plane y, Plane gradient, MutablePlane by_x, MutablePlane by_y) {
    kernels().suppress_adjoint(x.data(), y.data(), gradient.data(), samples(x, y, gradient, by_x, by_y),
                               by_x.data(), by_y.data());
}

void activity(Stack bands, MutablePlane out) {
    kernels().activity(planes(bands, 4), samples(bands, out), out.data());
}

void activity_adjoint(Stack bands, Plane gradient, MutableStack by_bands) {
    kernels().activity_adjoint(planes(bands, 4), gradient.data(), samples(bands, gradient, by_bands),
                               planes(by_bands, 4));
}

void erode(Plane plane, int64_t begin, int64_t end, MutablePlane out) {
    require_range(begin, end, plane.shape(0)), require_stripe(begin, end, out, plane.shape(1));
    kernels().erode(plane.data(), (int64_t)plane.shape(0), (int64_t)plane.shape(1), begin, end, out.data());
}

// What the line sums read: rows begin..end of `width` samples with the margin on all sides.
template <class A>
void require_margin(const A& framed, int64_t rows, size_t width) {
    require((int64_t)framed.shape(0) == rows + 2 * MALTA_MARGIN &&
                framed.shape(1) == width + (size_t)(2 * MALTA_MARGIN),
            "the margin must be 8 rows and columns");
}

void malta_difference(Plane reference, Plane decoded, float above, float below, float norm, int64_t begin,
                      int64_t end, MutablePlane out) {
    samples(reference, decoded), require_range(begin, end, decoded.shape(0));
    require_margin(out, end - begin, decoded.shape(1));
    kernels().malta_difference(reference.data(), decoded.data(), (int64_t)decoded.shape(0),
                               (int64_t)decoded.shape(1), {above, below, norm}, begin, end, out.data());
}

void malta_difference_adjoint(Plane reference, Plane decoded, Plane gradient, float above, float below,
                              float norm, MutablePlane out) {
    kernels().malta_difference_adjoint(reference.data(), decoded.data(), gradient.data(),
                                       samples(reference, decoded, gradient, out), {above, below, norm},
                                       out.data());
}

void malta(Plane differences, bool dense, MutablePlane out) {
    require_margin(differences, (int64_t)out.shape(0), out.shape(1));
    kernels().malta(differences.data(), (int64_t)out.shape(0), (int64_t)out.shape(1), dense, out.data());
}

void malta_adjoint(Plane differences, Plane gradient, bool dense, MutablePlane out) {
    require_margin(differences, (int64_t)out.shape(0), out.shape(1));
    samples(differences, gradient);
    kernels().malta_adjoint(differences.data(), gradient.data(), (int64_t)out.shape(0), (int64_t)out.shape(1),
                            dense, out.data());
}

void low_errors(Stack reference, Stack decoded, MutablePlane out) {
    kernels().low_errors(planes(reference, 3), planes(decoded, 3), samples(reference, decoded, out), out.data());
}

void low_errors_adjoint(Stack reference, Stack decoded, Plane gradient, MutableStack by_decoded) {
    kernels().low_errors_adjoint(planes(reference, 3), planes(decoded, 3), gradient.data(),
                                 samples(reference, decoded, gradient, by_decoded), planes(by_decoded, 3));
}

template <auto KERNEL>
void squares(Plane reference, Plane decoded, float weight, MutablePlane out) {
    (kernels().*KERNEL)(reference.data(), decoded.data(), samples(reference, decoded, out), weight, out.data());
}

template <auto KERNEL>
void squares_adjoint(Plane reference, Plane decoded, Plane gradient, float weight, MutablePlane out) {
    (kernels().*KERNEL)(reference.data(), decoded.data(), gradient.data(),
                        samples(reference, decoded, gradient, out), weight, out.data());
}

void combine(Plane ac, Plane dc, Plane busy, Plane busy_decoded, Plane mask, MutablePlane distance) {
    kernels().combine(ac.data(), dc.data(), busy.data(), busy_decoded.data(), mask.data(),
                      samples(ac, dc, busy, busy_decoded, mask, distance), distance.data());
}

void combine_adjoint(Plane distance, Plane busy, Plane busy_decoded, Plane mask, Plane gradient,
                     MutablePlane by_ac, MutablePlane by_dc, MutablePlane by_busy) {
    const int64_t n = samples(distance, busy, busy_decoded, mask, gradient, by_ac, by_dc, by_busy);
    kernels().combine_adjoint(distance.data(), busy.data(), busy_decoded.data(), mask.data(), gradient.data(), n,
                              by_ac.data(), by_dc.data(), by_busy.data());
}

void add_half(Plane distance, Plane half, int64_t begin, int64_t end, MutablePlane total) {
    require_half(half, distance), require_range(begin, end, distance.shape(0));
    require_stripe(begin, end, total, distance.shape(1));
    kernels().add_half(distance.data(), half.data(), (int64_t)distance.shape(1), begin, end, total.data());
}

nb::tuple pool(Plane total) {
    double sums[4];
    {
        nb::gil_scoped_release release;
        kernels().pool(total.data(), (int64_t)total.size(), sums);
    }
    return nb::make_tuple(sums[0], sums[1], sums[2], sums[3]);
}

void pool_adjoint(Plane total, double third, double sixth, double twelfth, MutablePlane out) {
    const double weights[] = {third, sixth, twelfth};
    kernels().pool_adjoint(total.data(), weights, samples(total, out), out.data());
}

}  // namespace

void bind_butteraugli(nb::module_& m) {
    m.def("butteraugli_light", &light, "encoded"_a, "nits"_a, Free());
    m.def("butteraugli_light_adjoint", &light_adjoint, "encoded"_a, "gradient"_a, "out"_a, Free());
    m.def("butteraugli_halve", &halve, "plane"_a, "edge"_a, "begin"_a, "end"_a, "out"_a, Free());
    m.def("butteraugli_halve_adjoint", &halve_adjoint, "gradient"_a, "edge"_a, "begin"_a, "end"_a, "out"_a, Free());
    m.def("butteraugli_blur", &blur<Border::normalised>, "plane"_a, "taps"_a, "begin"_a, "end"_a, "out"_a, Free());
    m.def("butteraugli_blur_adjoint", &blur<Border::normalised_adjoint>, "plane"_a, "taps"_a, "begin"_a, "end"_a, "out"_a,
          Free());
    m.def("butteraugli_blur_mirrored", &blur<Border::mirrored>, "plane"_a, "taps"_a, "begin"_a, "end"_a, "out"_a, Free());
    m.def("butteraugli_opsin", &opsin, "light"_a, "blurred"_a, "xyb"_a, Free());
    m.def("butteraugli_opsin_adjoint", &opsin_adjoint, "light"_a, "blurred"_a, "gradient"_a, "by_light"_a, "by_blurred"_a,
          Free());
    m.def("butteraugli_split_middle", &split<&Butteraugli::split_middle>, "whole"_a, "low"_a, "middle"_a, "high"_a, Free());
    m.def("butteraugli_split_middle_adjoint", &split_middle_adjoint, "middle"_a, "by_middle"_a, "by_high"_a, "by_low"_a,
          Free());
    m.def("butteraugli_split_high", &split<&Butteraugli::split_high>, "whole"_a, "low"_a, "high"_a, "ultra"_a, Free());
    m.def("butteraugli_split_high_adjoint", &split_high_adjoint, "high"_a, "ultra"_a, "by_high"_a, "by_ultra"_a, "by_low"_a,
          "by_whole"_a, Free());
    m.def("butteraugli_suppress", &suppress, "x"_a, "y"_a, "out"_a, Free());
    m.def("butteraugli_suppress_adjoint", &suppress_adjoint, "x"_a, "y"_a, "gradient"_a, "by_x"_a, "by_y"_a, Free());
    m.def("butteraugli_activity", &activity, "bands"_a, "out"_a, Free());
    m.def("butteraugli_activity_adjoint", &activity_adjoint, "bands"_a, "gradient"_a, "by_bands"_a, Free());
    m.def("butteraugli_erode", &erode, "plane"_a, "begin"_a, "end"_a, "out"_a, Free());
    m.def("butteraugli_malta_difference", &malta_difference, "reference"_a, "decoded"_a, "above"_a, "below"_a, "norm"_a,
          "begin"_a, "end"_a, "out"_a, Free());
    m.def("butteraugli_malta_difference_adjoint", &malta_difference_adjoint, "reference"_a, "decoded"_a, "gradient"_a,
          "above"_a, "below"_a, "norm"_a, "out"_a, Free());
    m.def("butteraugli_malta", &malta, "differences"_a, "dense"_a, "out"_a, Free());
    m.def("butteraugli_malta_adjoint", &malta_adjoint, "differences"_a, "gradient"_a, "dense"_a, "out"_a, Free());
    m.def("butteraugli_low_errors", &low_errors, "reference"_a, "decoded"_a, "out"_a, Free());
    m.def("butteraugli_low_errors_adjoint", &low_errors_adjoint, "reference"_a, "decoded"_a, "gradient"_a,
          "by_decoded"_a, Free());
    m.def("butteraugli_squares", &squares<&Butteraugli::squares>, "reference"_a, "decoded"_a, "weight"_a,
          "out"_a, Free());
    m.def("butteraugli_squares_adjoint", &squares_adjoint<&Butteraugli::squares_adjoint>, "reference"_a,
          "decoded"_a, "gradient"_a, "weight"_a, "out"_a, Free());
    m.def("butteraugli_far_squares", &squares<&Butteraugli::far_squares>, "reference"_a, "decoded"_a, "weight"_a,
          "out"_a, Free());
    m.def("butteraugli_far_squares_adjoint", &squares_adjoint<&Butteraugli::far_squares_adjoint>, "reference"_a,
          "decoded"_a, "gradient"_a, "weight"_a, "out"_a, Free());
    m.def("butteraugli_combine", &combine, "ac"_a, "dc"_a, "busy"_a, "busy_decoded"_a, "mask"_a, "distance"_a,
          Free());
    m.def("butteraugli_combine_adjoint", &combine_adjoint, "distance"_a, "busy"_a, "busy_decoded"_a, "mask"_a,
          "gradient"_a, "by_ac"_a, "by_dc"_a, "by_busy"_a, Free());
    m.def("butteraugli_add_half", &add_half, "distance"_a, "half"_a, "begin"_a, "end"_a, "total"_a, Free());
    m.def("butteraugli_pool", &pool, "total"_a);
    m.def("butteraugli_pool_adjoint", &pool_adjoint, "total"_a, "third"_a, "sixth"_a, "twelfth"_a, "out"_a, Free());
}

}  // namespace gradpress
