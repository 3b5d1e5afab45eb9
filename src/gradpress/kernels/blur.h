// Separable blurs and halving. Included inside the namespace of an instruction set.

constexpr int64_t BLUR_CHUNK = 512, BLUR_REACH = 17;

// Weighted sum of N rows. One expression: sums kept in memory would wait for rows of a like address.
template <int N>
static void weighted_rows(const float* const* rows, const float* weights, int64_t n, float* __restrict out) {
    const float* row[N];
    float weight[N];
    for (int j = 0; j < N; j++) row[j] = rows[j], weight[j] = weights[j];
#pragma GCC ivdep
    for (int64_t x = 0; x < n; x++) {
        float sum = weight[0] * row[0][x];
#pragma GCC unroll 64
        for (int j = 1; j < N; j++) sum += weight[j] * row[j][x];
        out[x] = sum;
    }
}

static void column_sums(const float* const* rows, const float* weights, int64_t radius, int64_t n, float* out) {
    switch (radius) {
        case 2: return weighted_rows<5>(rows, weights, n, out);
        case 3: return weighted_rows<7>(rows, weights, n, out);
        case 6: return weighted_rows<13>(rows, weights, n, out);
        case 7: return weighted_rows<15>(rows, weights, n, out);
        case 16: return weighted_rows<33>(rows, weights, n, out);
    }
}

// Symmetric taps over a row with `radius` samples, and one more, on either side of the n.
static void symmetric_taps(const float* __restrict row, const float* taps, int64_t radius, int64_t n,
                           float* __restrict out) {
    for (int64_t x = 0; x < n; x++) out[x] = taps[0] * row[x];
    for (int64_t j = 1; j <= radius; j += 2) {
        const float near = taps[j], far = j < radius ? taps[j + 1] : 0;
        const float *__restrict a = row - j, *__restrict b = row + j;
        for (int64_t x = 0; x < n; x++) out[x] += near * (a[x] + b[x]) + far * (a[x - 1] + b[x + 1]);
    }
}

// Sums of the taps -radius..i, and what makes up for those missing at a place among `size`.
struct Coverage {
    float sums[2 * BLUR_REACH + 2];
    int64_t radius, size;
};

static Coverage coverage_of(const float* taps, int64_t radius, int64_t size) {
    Coverage coverage;
    coverage.radius = radius, coverage.size = size;
    double sum = 0;
    coverage.sums[0] = 0;
    for (int64_t i = 0; i <= 2 * radius; i++) {
        sum += (double)taps[i < radius ? radius - i : i - radius];
        coverage.sums[i + 1] = (float)sum;
    }
    return coverage;
}

static float missing_factor(const Coverage& coverage, int64_t at) {
    const int64_t radius = coverage.radius, left = radius - at, right = coverage.size - 1 - at + radius;
    const int64_t from = left > 0 ? left : 0, to = right < 2 * radius ? right : 2 * radius;
    return 1.f / (coverage.sums[to + 1] - coverage.sums[from]);
}

static int64_t mirrored(int64_t i, int64_t size) {
    while (i < 0 || i >= size) i = i < 0 ? -1 - i : 2 * size - 1 - i;
    return i;
}

// Multiplies the samples first..last of a row, held from first on, that a border is in reach of.
static void scale_borders(const Coverage& coverage, int64_t first, int64_t last, float* row) {
    const int64_t radius = coverage.radius, size = coverage.size;
    const int64_t left = radius < last ? radius : last;
    for (int64_t x = first; x < left; x++) row[x - first] *= missing_factor(coverage, x);
    int64_t right = size - radius;
    right = right < left ? left : right < first ? first : right;
    for (int64_t x = right > first ? right : first; x < last; x++)
        row[x - first] *= missing_factor(coverage, x);
}

static void blur(const float* plane, int64_t height, int64_t width, const float* taps, int64_t radius,
                 Border border, int64_t begin, int64_t end, float* out) {
    const Coverage down = coverage_of(taps, radius, height), across = coverage_of(taps, radius, width);
    const bool mirror = border == Border::mirrored, adjoint = border == Border::normalised_adjoint;
    for (int64_t y = begin; y < end; y++, out += width) {
        const float* rows[2 * BLUR_REACH + 1];
        float weights[2 * BLUR_REACH + 1];
        for (int64_t j = -radius; j <= radius; j++) {
            const int64_t row = mirror ? mirrored(y + j, height) : y + j;
            const bool there = 0 <= row && row < height;
            const float factor = mirror ? 1 : there ? missing_factor(down, adjoint ? row : y) : 0;
            rows[radius + j] = plane + (there ? row : y) * width;
            weights[radius + j] = taps[j < 0 ? -j : j] * factor;
        }
        for (int64_t x0 = 0; x0 < width; x0 += BLUR_CHUNK) {
            const int64_t x1 = x0 + BLUR_CHUNK < width ? x0 + BLUR_CHUNK : width;
            float buffer[BLUR_CHUNK + 2 * BLUR_REACH];
            float* const row = buffer + BLUR_REACH;  // row[x - x0]
            const int64_t first = x0 > radius ? x0 - radius : 0;
            const int64_t last = x1 + radius < width ? x1 + radius : width;
            const float* here[2 * BLUR_REACH + 1];
            for (int64_t i = 0; i <= 2 * radius; i++) here[i] = rows[i] + first;
            column_sums(here, weights, radius, last - first, row + first - x0);
            if (adjoint) scale_borders(across, first, last, row + first - x0);
            for (int64_t x = x0 - radius - 1; x < first; x++)
                row[x - x0] = mirror && x < 0 ? row[mirrored(x, width) - x0] : 0;
            for (int64_t x = last; x <= x1 + radius; x++)
                row[x - x0] = mirror && x >= width ? row[mirrored(x, width) - x0] : 0;
            symmetric_taps(row, taps, radius, x1 - x0, out + x0);
            if (border == Border::normalised) scale_borders(across, x0, x1, out + x0);
        }
    }
}

static void halve(const float* plane, int64_t height, int64_t width, float edge, int64_t begin, int64_t end,
                  float* out) {
    const int64_t pairs = width / 2;
    for (int64_t y = begin; y < end; y++, out += (width + 1) / 2) {
        const bool lone = 2 * y + 1 == height;
        const float *__restrict a = plane + 2 * y * width, *__restrict b = lone ? a : a + width;
        const float near = lone ? .25f * edge : .25f, far = lone ? 0 : .25f;
        for (int64_t x = 0; x < pairs; x++)
            out[x] = near * (a[2 * x] + a[2 * x + 1]) + far * (b[2 * x] + b[2 * x + 1]);
        if (width & 1) out[pairs] = edge * (near * a[width - 1] + far * b[width - 1]);
    }
}

static void halve_adjoint(const float* gradient, int64_t height, int64_t width, float edge, int64_t begin,
                          int64_t end, float* out) {
    for (int64_t y = begin; y < end; y++, out += width) {
        const float* __restrict from = gradient + y / 2 * ((width + 1) / 2);
        const float weight = y == height - 1 && (height & 1) ? .25f * edge : .25f;
        for (int64_t x = 0; x < width / 2; x++) {
            out[2 * x] += weight * from[x];
            out[2 * x + 1] += weight * from[x];
        }
        if (width & 1) out[width - 1] += edge * weight * from[width / 2];
    }
}
