// SSIMULACRA2's kernels for Python: planes and bounds are checked here, rows go to the kernels.
#include <vector>

#include "binding.h"
#include "kernels.h"
#include "ssimulacra2.h"

namespace gradpress {

namespace {

const Ssimulacra2Kernels& kernels() {
#ifdef GRADPRESS_X86
    const Ssimulacra2Kernels* sets[] = {&portable_ssimulacra2, &avx2_ssimulacra2, &avx512_ssimulacra2};
    return *sets[instruction_set()];
#else
    return portable_ssimulacra2;
#endif
}

void require_range(int64_t begin, int64_t end, int64_t height) {
    require(0 <= begin && begin <= end && end <= height, "rows out of range");
}

template <class Picture, class Planes>
void require_size(const Picture& picture, const Planes& planes) {
    require(planes.shape(0) == 3 && planes.shape(1) == picture.shape(1) && planes.shape(2) == picture.shape(2),
            "planes must be (3, height, width) of the picture");
}

// Linear light of one row of a picture of one or three components, as three rows.
struct LinearRows {
    explicit LinearRows(int64_t width) : values((size_t)(3 * width)), width(width) {}

    template <class Picture>
    void read(const Picture& picture, int64_t row) {
        const bool colour = picture.shape(0) == 3;
        for (int c = 0; c < (colour ? 3 : 1); c++)
            kernels().linear(picture.data() + (c * (int64_t)picture.shape(1) + row) * width, width, rows(c));
        if (!colour)
            for (int64_t i = 0; i < width; i++) rows(1)[i] = rows(2)[i] = rows(0)[i];
    }

    float* rows(int c) { return values.data() + c * width; }

    std::vector<float> values;
    int64_t width;
};

template <class Picture, class Half>
void require_half(const Picture& picture, const Half& half) {
    require(half.shape(0) == 3 && half.shape(1) == (picture.shape(1) + 1) / 2 &&
                half.shape(2) == (picture.shape(2) + 1) / 2,
            "the half must be (3, height / 2, width / 2), rounded up");
}

template <class Picture>
void require_picture(const Picture& picture) {
    require(picture.shape(0) == 1 || picture.shape(0) == 3, "a picture has 1 or 3 components");
}

// Rows begin..end of the half's linear light, and XYB of the rows that they stand for.
void first_scale(In<float, 3> picture, int64_t begin, int64_t end, Out<float, 3> xyb, Out<float, 3> half) {
    require_picture(picture), require_half(picture, half), require_range(begin, end, (int64_t)half.shape(1));
    require_size(picture, xyb);
    const int64_t height = (int64_t)picture.shape(1), width = (int64_t)picture.shape(2), plane = height * width;
    LinearRows rows[2] = {LinearRows(width), LinearRows(width)};
    for (int64_t y = begin; y < end; y++) {
        const int count = 2 * y + 1 < height ? 2 : 1;
        for (int i = 0; i < count; i++) {
            rows[i].read(picture, 2 * y + i);
            float* out = xyb.data() + (2 * y + i) * width;
            kernels().xyb(rows[i].rows(0), rows[i].rows(1), rows[i].rows(2), width, out, out + plane, out + 2 * plane);
        }
        for (int c = 0; c < 3; c++)
            kernels().halve(rows[0].rows(c), rows[count - 1].rows(c), width,
                            half.data() + (c * (int64_t)half.shape(1) + y) * (int64_t)half.shape(2));
    }
}

// ∂D by linear light of the next scale, if there is one; adds its part of a row.
struct Coarser {
    template <class Picture>
    Coarser(const nb::object& by_half, const Picture& finer) : height((int64_t)finer.shape(1)) {
        if (by_half.is_none()) return;
        auto array = nb::cast<In<float, 3>>(by_half);
        require_half(finer, array);
        data = array.data(), rows = (int64_t)array.shape(1), width = (int64_t)array.shape(2);
    }

    // A last row that stands for two counts twice.
    void add(int c, int64_t y, int64_t fine_width, float* out) const {
        const float share = y == height - 1 && (height & 1) ? .5f : .25f;
        if (data) kernels().halve_adjoint(data + (c * rows + y / 2) * width, fine_width, share, out);
    }

    const float* data = nullptr;
    int64_t height, rows = 0, width = 0;
};

// ∂D by samples of rows begin..end, from ∂D by XYB and by the half's linear light.
void first_scale_adjoint(In<float, 3> picture, In<float, 3> by_xyb, nb::object by_half, int64_t begin,
                         int64_t end, Out<float, 3> gradient) {
    const int64_t height = (int64_t)picture.shape(1), width = (int64_t)picture.shape(2), plane = height * width;
    require_picture(picture), require_size(picture, by_xyb), require_range(begin, end, height);
    require(gradient.size() == picture.size(), "the gradient must have the picture's shape");
    const Coarser coarser(by_half, picture);
    nb::gil_scoped_release release;
    const int components = (int)picture.shape(0);
    LinearRows rows(width), out(width);
    for (int64_t y = begin; y < end; y++) {
        rows.read(picture, y);
        for (float& value : out.values) value = 0;
        const float* by = by_xyb.data() + y * width;
        kernels().xyb_adjoint(rows.rows(0), rows.rows(1), rows.rows(2), by, by + plane, by + 2 * plane, width,
                              out.rows(0), out.rows(1), out.rows(2));
        for (int c = 0; c < 3; c++) coarser.add(c, y, width, out.rows(c));
        if (components == 1)
            for (int64_t i = 0; i < width; i++) out.rows(0)[i] += out.rows(1)[i] + out.rows(2)[i];
        for (int c = 0; c < components; c++) {
            const int64_t at = (c * height + y) * width;
            kernels().linear_adjoint(picture.data() + at, width, out.rows(c));
            for (int64_t i = 0; i < width; i++) gradient.data()[at + i] = out.rows(c)[i];
        }
    }
}

void halve(In<float, 3> linear, int64_t begin, int64_t end, Out<float, 3> half) {
    require(linear.shape(0) == 3, "linear light has 3 components");
    require_half(linear, half), require_range(begin, end, (int64_t)half.shape(1));
    const int64_t height = (int64_t)linear.shape(1), width = (int64_t)linear.shape(2);
    for (int c = 0; c < 3; c++)
        for (int64_t y = begin; y < end; y++) {
            const float* first = linear.data() + (c * height + 2 * y) * width;
            kernels().halve(first, 2 * y + 1 < height ? first + width : first, width,
                            half.data() + (c * (int64_t)half.shape(1) + y) * (int64_t)half.shape(2));
        }
}

template <class A, class B>
void require_triples(const A& a, const B& b) {
    require(a.shape(0) == 3 && b.shape(0) == 3 && a.shape(1) == b.shape(1) && a.shape(2) == b.shape(2),
            "planes must be (3, height, width), all of one size");
}

void xyb(In<float, 3> linear, int64_t begin, int64_t end, Out<float, 3> out) {
    require_triples(linear, out), require_range(begin, end, (int64_t)linear.shape(1));
    const int64_t plane = (int64_t)(linear.shape(1) * linear.shape(2)), at = begin * (int64_t)linear.shape(2);
    const int64_t n = (end - begin) * (int64_t)linear.shape(2);
    const float* in = linear.data() + at;
    float* to = out.data() + at;
    kernels().xyb(in, in + plane, in + 2 * plane, n, to, to + plane, to + 2 * plane);
}

// Adds ∂D by linear light, from ∂D by X, Y, B and, where there is a coarser scale, by its light.
void xyb_adjoint(In<float, 3> linear, In<float, 3> by_xyb, nb::object by_half, int64_t begin, int64_t end,
                 Out<float, 3> gradient) {
    require_triples(linear, by_xyb), require_triples(linear, gradient);
    const int64_t height = (int64_t)linear.shape(1), width = (int64_t)linear.shape(2);
    require_range(begin, end, height);
    const Coarser coarser(by_half, linear);
    nb::gil_scoped_release release;
    const int64_t plane = height * width;
    for (int64_t y = begin; y < end; y++) {
        const float *in = linear.data() + y * width, *by = by_xyb.data() + y * width;
        float* out = gradient.data() + y * width;
        kernels().xyb_adjoint(in, in + plane, in + 2 * plane, by, by + plane, by + 2 * plane, width, out,
                              out + plane, out + 2 * plane);
        for (int c = 0; c < 3; c++) coarser.add(c, y, width, out + c * plane);
    }
}

void reference_moments(In<float, 2> plane, int64_t begin, int64_t end, Out<float, 2> mean, Out<float, 2> square) {
    const int64_t height = (int64_t)plane.shape(0), width = (int64_t)plane.shape(1);
    require_range(begin, end, height);
    require(mean.size() == plane.size() && square.size() == plane.size(), "planes must have one size");
    std::vector<float> scratch((size_t)ring_floats(width));
    kernels().reference_moments(plane.data(), height, width, begin, end, scratch.data(), mean.data(), square.data());
}

ScalePlanes scale_planes(const In<float, 3>& reference, const In<float, 2>& decoded, const Out<float, 3>& moments) {
    const int64_t height = (int64_t)decoded.shape(0), width = (int64_t)decoded.shape(1), plane = height * width;
    require(reference.shape(0) == 3 && (int64_t)reference.shape(1) == height &&
                (int64_t)reference.shape(2) == width && moments.shape(0) == 3 &&
                (int64_t)moments.shape(1) == height && (int64_t)moments.shape(2) == width,
            "reference and moments must be (3, height, width) of the decoded plane");
    return {reference.data(), reference.data() + plane, reference.data() + 2 * plane, decoded.data(),
            moments.data(),   moments.data() + plane,   moments.data() + 2 * plane,   height, width};
}

nb::tuple error_sums(In<float, 3> reference, In<float, 2> decoded, int64_t begin, int64_t end, Out<float, 3> moments) {
    const ScalePlanes planes = scale_planes(reference, decoded, moments);
    require_range(begin, end, planes.height);
    double sums[6];
    {
        nb::gil_scoped_release release;
        kernels().sums(planes, begin, end, sums);
    }
    return nb::make_tuple(sums[0], sums[1], sums[2], sums[3], sums[4], sums[5]);
}

void compute_moments(In<float, 3> reference, In<float, 2> decoded, int64_t begin, int64_t end,
                     Out<float, 3> moments) {
    const ScalePlanes planes = scale_planes(reference, decoded, moments);
    require_range(begin, end, planes.height);
    std::vector<float> scratch((size_t)ring_floats(planes.width));
    kernels().moments(planes, begin, end, scratch.data());
}

void error_slopes(In<float, 3> reference, In<float, 2> decoded, In<float, 2> slopes, int64_t begin, int64_t end,
                  Out<float, 3> moments, Out<float, 2> gradient) {
    const ScalePlanes planes = scale_planes(reference, decoded, moments);
    require_range(begin, end, planes.height);
    require(gradient.size() == decoded.size(), "the gradient must have the size of decoded");
    require(slopes.shape(0) == 2 && slopes.shape(1) == 3, "slopes must be (2, 3)");
    const float* by = slopes.data();
    kernels().slopes(planes, {{by[0], by[1], by[2]}, {by[3], by[4], by[5]}}, begin, end, gradient.data());
}

void moments_adjoint(In<float, 3> reference, In<float, 2> decoded, Out<float, 3> moments, int64_t begin,
                     int64_t end, Out<float, 2> gradient) {
    const ScalePlanes planes = scale_planes(reference, decoded, moments);
    require_range(begin, end, planes.height);
    require(gradient.size() == decoded.size(), "the gradient must have the size of decoded");
    std::vector<float> scratch((size_t)ring_floats(planes.width));
    kernels().moments_adjoint(planes, begin, end, scratch.data(), gradient.data());
}

void recursive_along(In<float, 2> first, nb::object second, int64_t begin, int64_t end, Out<float, 2> out) {
    const int64_t width = (int64_t)first.shape(1);
    require_range(begin, end, (int64_t)first.shape(0));
    require(out.size() == first.size(), "planes must have one size");
    const float* factor = nullptr;
    if (!second.is_none()) {
        auto array = nb::cast<In<float, 2>>(second);
        require(array.size() == first.size(), "planes must have one size");
        factor = array.data();
    }
    nb::gil_scoped_release release;
    std::vector<float> scratch((size_t)(2 * RECURSIVE_ROWS * width));
    for (int64_t y = begin; y < end; y += RECURSIVE_ROWS)
        kernels().recursive_along(first.data(), factor, width, y, end - y < RECURSIVE_ROWS ? end - y : RECURSIVE_ROWS,
                                  scratch.data(), out.data());
}

void recursive_across(In<float, 2> plane, int64_t begin, int64_t end, Out<float, 2> out) {
    const int64_t height = (int64_t)plane.shape(0), width = (int64_t)plane.shape(1);
    require_range(begin, end, width);
    require(out.size() == plane.size() && out.data() != plane.data(), "two planes of one size are needed");
    for (int64_t x = begin; x < end; x += RECURSIVE_COLUMNS)
        kernels().recursive_across(plane.data(), height, width, x,
                                   end - x < RECURSIVE_COLUMNS ? end - x : RECURSIVE_COLUMNS, out.data());
}

}  // namespace

void bind_ssimulacra2(nb::module_& m) {
    m.def("ssimulacra2_first_scale", &first_scale, "picture"_a, "begin"_a, "end"_a, "xyb"_a, "half"_a, Free());
    m.def("ssimulacra2_first_scale_adjoint", &first_scale_adjoint, "picture"_a, "by_xyb"_a, "by_half"_a.none(), "begin"_a,
          "end"_a, "gradient"_a);
    m.def("ssimulacra2_halve", &halve, "linear"_a, "begin"_a, "end"_a, "half"_a, Free());
    m.def("ssimulacra2_xyb", &xyb, "linear"_a, "begin"_a, "end"_a, "xyb"_a, Free());
    m.def("ssimulacra2_xyb_adjoint", &xyb_adjoint, "linear"_a, "by_xyb"_a, "by_half"_a.none(), "begin"_a, "end"_a,
          "gradient"_a);
    m.def("ssimulacra2_reference", &reference_moments, "plane"_a, "begin"_a, "end"_a, "mean"_a, "square"_a, Free());
    m.def("ssimulacra2_moments", &compute_moments, "reference"_a, "decoded"_a, "begin"_a, "end"_a, "moments"_a,
          Free());
    m.def("ssimulacra2_sums", &error_sums, "reference"_a, "decoded"_a, "begin"_a, "end"_a, "moments"_a);
    m.def("ssimulacra2_slopes", &error_slopes, "reference"_a, "decoded"_a, "slopes"_a, "begin"_a, "end"_a,
          "moments"_a, "gradient"_a, Free());
    m.def("ssimulacra2_moments_adjoint", &moments_adjoint, "reference"_a, "decoded"_a, "moments"_a, "begin"_a,
          "end"_a, "gradient"_a, Free());
    m.def("ssimulacra2_recursive_along", &recursive_along, "first"_a, "second"_a.none(), "begin"_a, "end"_a, "out"_a);
    m.def("ssimulacra2_recursive_across", &recursive_across, "plane"_a, "begin"_a, "end"_a, "out"_a, Free());
}

}  // namespace gradpress
