// Means of 2×2 samples by rows, and the adjoint; the last row or column stands in for one that is
// missing. Included inside the namespace of an instruction set.

static void halve(const float* __restrict first, const float* __restrict second, int64_t width,
                  float* __restrict out) {
    for (int64_t i = 0; i < width / 2; i++)
        out[i] = .25f * ((first[2 * i] + first[2 * i + 1]) + (second[2 * i] + second[2 * i + 1]));
    if (width & 1) out[width / 2] = .5f * (first[width - 1] + second[width - 1]);
}

// Adds one row's part; scale is 1/4, or 1/2 for a row that stands for two.
static void halve_adjoint(const float* __restrict gradient, int64_t width, float scale, float* __restrict out) {
    for (int64_t i = 0; i < width / 2; i++) {
        out[2 * i] += scale * gradient[i];
        out[2 * i + 1] += scale * gradient[i];
    }
    if (width & 1) out[width - 1] += 2 * scale * gradient[width / 2];
}
