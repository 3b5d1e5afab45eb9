// SSIM's kernels for Python: planes and bounds are checked here, rows go to the kernels.
#include <memory>

#include "binding.h"
#include "kernels.h"
#include "ssim.h"

namespace gradpress {

namespace {

const SsimKernels& kernels() {
#ifdef GRADPRESS_X86
    const SsimKernels* sets[] = {&portable_ssim, &avx2_ssim, &avx512_ssim};
    return *sets[instruction_set()];
#else
    return portable_ssim;
#endif
}

constexpr float LUMA[3] = {.299f, .587f, .114f};  // ITU-R BT.601

void require_rows(int64_t begin, int64_t end, int64_t height) {
    require(0 <= begin && begin <= end && end <= height, "rows out of range");
}

template <class Picture, class Plane>
void require_luma(const Picture& picture, const Plane& luma) {
    require(picture.shape(0) == 1 || picture.shape(0) == 3, "a picture has 1 or 3 components");
    require(picture.shape(1) == luma.shape(0) && picture.shape(2) == luma.shape(1),
            "luma must be (height, width) of the picture");
}

// Rows begin..end of luma - 128.
void luma(In<float, 3> picture, int64_t begin, int64_t end, Out<float, 2> out) {
    require_luma(picture, out), require_rows(begin, end, (int64_t)out.shape(0));
    const int64_t width = (int64_t)out.shape(1), plane = (int64_t)out.size(), at = begin * width;
    const float* in = picture.data() + at;
    if (picture.shape(0) == 1)
        kernels().grey(in, (end - begin) * width, out.data() + at);
    else
        kernels().luma(in, in + plane, in + 2 * plane, (end - begin) * width, out.data() + at);
}

// Rows begin..end of ∂D/∂picture, from ∂D/∂luma.
void luma_adjoint(In<float, 2> by_luma, int64_t begin, int64_t end, Out<float, 3> gradient) {
    require_luma(gradient, by_luma), require_rows(begin, end, (int64_t)by_luma.shape(0));
    const int64_t width = (int64_t)by_luma.shape(1), plane = (int64_t)by_luma.size(), at = begin * width;
    const int components = (int)gradient.shape(0);
    for (int c = 0; c < components; c++)
        kernels().scaled(by_luma.data() + at, components == 1 ? 1.f : LUMA[c], (end - begin) * width,
                         gradient.data() + c * plane + at);
}

template <class Plane, class Half>
void require_half(const Plane& plane, const Half& half) {
    require(half.shape(0) == (plane.shape(0) + 1) / 2 && half.shape(1) == (plane.shape(1) + 1) / 2,
            "the half must be (height / 2, width / 2), rounded up");
}

void halve(In<float, 2> plane, int64_t begin, int64_t end, Out<float, 2> half) {
    require_half(plane, half), require_rows(begin, end, (int64_t)half.shape(0));
    const int64_t height = (int64_t)plane.shape(0), width = (int64_t)plane.shape(1);
    for (int64_t y = begin; y < end; y++) {
        const float* first = plane.data() + 2 * y * width;
        kernels().halve(first, 2 * y + 1 < height ? first + width : first, width,
                        half.data() + y * (int64_t)half.shape(1));
    }
}

// Rows begin..end of gradient are scaled; what comes from the half is added.
void halve_adjoint(In<float, 2> by_half, float scale, int64_t begin, int64_t end, Out<float, 2> gradient) {
    const int64_t height = (int64_t)gradient.shape(0), width = (int64_t)gradient.shape(1);
    require_half(gradient, by_half), require_rows(begin, end, height);
    for (int64_t y = begin; y < end; y++) {
        float* row = gradient.data() + y * width;
        const bool for_two = y == height - 1 && (height & 1);
        kernels().scaled(row, scale, width, row);
        kernels().halve_adjoint(by_half.data() + y / 2 * (int64_t)by_half.shape(1), width, for_two ? .5f : .25f, row);
    }
}

SsimWindow window_of(int64_t down, int64_t along, int64_t height, int64_t width) {
    require(0 <= down && down <= SSIM_REACH && 2 * down < height && 0 <= along && along <= SSIM_REACH &&
                2 * along < width,
            "the window must reach at most 5 samples and fit into the plane");
    return {(int)down, (int)along};
}

// Fills rows begin..end of planes 1 and 2, where a window fits, from plane 0.
void prepare(Out<float, 3> planes, int64_t down, int64_t along, int64_t begin, int64_t end) {
    require(planes.shape(0) == 3, "planes must be (3, height, width)");
    const int64_t height = (int64_t)planes.shape(1), width = (int64_t)planes.shape(2), plane = height * width;
    require_rows(begin, end, height);
    const SsimWindow window = window_of(down, along, height, width);
    const auto scratch = std::make_unique<SsimScratch>();
    float* data = planes.data();
    kernels().prepare(data, height, width, window, begin, end, *scratch, data + plane, data + 2 * plane);
}

double errors(In<float, 3> reference, In<float, 2> decoded, int64_t down, int64_t along, bool whole, int64_t begin,
              int64_t end, nb::object gradient) {
    const int64_t height = (int64_t)decoded.shape(0), width = (int64_t)decoded.shape(1), plane = height * width;
    require(reference.shape(0) == 3 && (int64_t)reference.shape(1) == height && (int64_t)reference.shape(2) == width,
            "the reference must be (3, height, width) of the decoded plane");
    require_rows(begin, end, height);
    const SsimWindow window = window_of(down, along, height, width);
    float* out = nullptr;
    if (!gradient.is_none()) {
        auto array = nb::cast<Out<float, 2>>(gradient);
        require(array.shape(0) == decoded.shape(0) && array.shape(1) == decoded.shape(1),
                "the gradient must have the shape of decoded");
        out = array.data();
    }
    nb::gil_scoped_release release;
    const auto scratch = std::make_unique<SsimScratch>();
    const float* data = reference.data();
    const SsimPlanes planes = {data, data + plane, data + 2 * plane, decoded.data(), height, width};
    return kernels().errors(planes, window, whole, begin, end, *scratch, out);
}

}  // namespace

void bind_ssim(nb::module_& m) {
    m.def("ssim_luma", &luma, "picture"_a, "begin"_a, "end"_a, "luma"_a, Free());
    m.def("ssim_luma_adjoint", &luma_adjoint, "by_luma"_a, "begin"_a, "end"_a, "gradient"_a, Free());
    m.def("ssim_halve", &halve, "plane"_a, "begin"_a, "end"_a, "half"_a, Free());
    m.def("ssim_halve_adjoint", &halve_adjoint, "by_half"_a, "scale"_a, "begin"_a, "end"_a, "gradient"_a, Free());
    m.def("ssim_prepare", &prepare, "planes"_a, "down"_a, "along"_a, "begin"_a, "end"_a, Free());
    m.def("ssim_errors", &errors, "reference"_a, "decoded"_a, "down"_a, "along"_a, "whole"_a, "begin"_a, "end"_a,
          "gradient"_a.none());
}

}  // namespace gradpress
