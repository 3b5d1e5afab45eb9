// Splitting X and Y by frequency, and the activity that masks errors. Included inside the namespace
// of an instruction set.

// What is near zero vanishes, or counts twice; what is large grows more slowly.
static inline float removed(float v, float range) { return v - within(v, range); }
static inline float amplified(float v, float range) { return v + within(v, range); }
constexpr float SOFT_SLOPE = .724216145665f;
static inline float softened(float v, float limit) {
    const float inside = within(v, limit);
    return inside + (v - inside) * SOFT_SLOPE;
}

constexpr float REMOVE_MIDDLE = .29f, ADD_MIDDLE = .1f;
constexpr float REMOVE_HIGH = 1.5f, ADD_HIGH = .132f, REMOVE_ULTRA = .04f;
constexpr float LIMIT_HIGH = 28.4691806922f, LIMIT_ULTRA = 5.19175294647f;
constexpr float SCALE_HIGH = 2.155f, SCALE_ULTRA = 2.69313763794f;

static void split_middle(Planes whole, Planes low, int64_t n, MutablePlanes middle, MutablePlanes high) {
    const float *__restrict x = whole.first, *__restrict y = x + whole.step;
    const float *__restrict low_x = low.first, *__restrict low_y = low_x + low.step;
    float *__restrict middle_x = middle.first, *__restrict middle_y = middle_x + middle.step;
    float *__restrict high_x = high.first, *__restrict high_y = high_x + high.step;
#pragma GCC ivdep
    for (int64_t i = 0; i < n; i++) {
        middle_x[i] = removed(low_x[i], REMOVE_MIDDLE);
        middle_y[i] = amplified(low_y[i], ADD_MIDDLE);
        high_x[i] = x[i] - low_x[i];
        high_y[i] = y[i] - low_y[i];
    }
}

static void split_middle_adjoint(Planes middle, Planes by_middle, Planes by_high, int64_t n,
                                 MutablePlanes by_low) {
    const float *__restrict x = middle.first, *__restrict y = x + middle.step;
    const float *__restrict by_x = by_middle.first, *__restrict by_y = by_x + by_middle.step;
    const float *__restrict high_x = by_high.first, *__restrict high_y = high_x + by_high.step;
    float *__restrict low_x = by_low.first, *__restrict low_y = low_x + by_low.step;
#pragma GCC ivdep
    for (int64_t i = 0; i < n; i++) {
        low_x[i] = (x[i] != 0 ? by_x[i] : 0) - high_x[i];
        low_y[i] = (magnitude(y[i]) > 2 * ADD_MIDDLE ? by_y[i] : 2 * by_y[i]) - high_y[i];
    }
}

constexpr float SUPPRESSED = .653020556257f, SUPPRESSING = 46;

static void suppress(const float* __restrict x, const float* __restrict y, int64_t n, float* __restrict out) {
    for (int64_t i = 0; i < n; i++)
        out[i] = x[i] * (SUPPRESSED + (1 - SUPPRESSED) * (SUPPRESSING / (y[i] * y[i] + SUPPRESSING)));
}

static void suppress_adjoint(const float* __restrict x, const float* __restrict y,
                             const float* __restrict gradient, int64_t n, float* __restrict by_x,
                             float* __restrict by_y) {
    for (int64_t i = 0; i < n; i++) {
        const float inverse = 1 / (y[i] * y[i] + SUPPRESSING), seen = (1 - SUPPRESSED) * SUPPRESSING * inverse;
        by_y[i] -= gradient[i] * x[i] * seen * 2 * y[i] * inverse;
        by_x[i] = gradient[i] * (SUPPRESSED + seen);
    }
}

static void split_high(Planes whole, Planes low, int64_t n, MutablePlanes high, MutablePlanes ultra) {
    const float *__restrict x = whole.first, *__restrict y = x + whole.step;
    const float *__restrict low_x = low.first, *__restrict low_y = low_x + low.step;
    float *__restrict high_x = high.first, *__restrict high_y = high_x + high.step;
    float *__restrict ultra_x = ultra.first, *__restrict ultra_y = ultra_x + ultra.step;
#pragma GCC ivdep
    for (int64_t i = 0; i < n; i++) {
        high_x[i] = removed(low_x[i], REMOVE_HIGH);
        ultra_x[i] = removed(x[i] - low_x[i], REMOVE_ULTRA);
        const float soft = softened(low_y[i], LIMIT_HIGH);
        high_y[i] = amplified(soft * SCALE_HIGH, ADD_HIGH);
        ultra_y[i] = softened(y[i] - soft, LIMIT_ULTRA) * SCALE_ULTRA;
    }
}

static void split_high_adjoint(Planes high, Planes ultra, Planes by_high, Planes by_ultra, int64_t n,
                               MutablePlanes by_low, MutablePlanes by_whole) {
    const float *__restrict high_x = high.first, *__restrict high_y = high_x + high.step;
    const float *__restrict ultra_x = ultra.first, *__restrict ultra_y = ultra_x + ultra.step;
    const float *__restrict by_hx = by_high.first, *__restrict by_hy = by_hx + by_high.step;
    const float *__restrict by_ux = by_ultra.first, *__restrict by_uy = by_ux + by_ultra.step;
    float *__restrict low_x = by_low.first, *__restrict low_y = low_x + by_low.step;
    float *__restrict whole_x = by_whole.first, *__restrict whole_y = whole_x + by_whole.step;
#pragma GCC ivdep
    for (int64_t i = 0; i < n; i++) {
        const float x = ultra_x[i] != 0 ? by_ux[i] : 0;
        whole_x[i] = x;
        low_x[i] = (high_x[i] != 0 ? by_hx[i] : 0) - x;
        const float slope = magnitude(ultra_y[i]) > LIMIT_ULTRA * SCALE_ULTRA ? SOFT_SLOPE : 1;
        const float y = by_uy[i] * (slope * SCALE_ULTRA);
        whole_y[i] = y;
        const float size = magnitude(high_y[i]);
        const float scale = size > 2 * ADD_HIGH ? SCALE_HIGH : 2 * SCALE_HIGH;
        const float soft = size > LIMIT_HIGH * SCALE_HIGH + ADD_HIGH ? SOFT_SLOPE : 1;
        low_y[i] = (by_hy[i] * scale - y) * soft;
    }
}

constexpr float BUSY_X = 2.5f, BUSY_Y = .4f, BUSY_SCALE = 6.19424080439f, BUSY_BIAS = 12.61050594197f;

static void activity(Planes bands, int64_t n, float* __restrict out) {
    const float *__restrict hx = bands.first, *__restrict hy = hx + bands.step;
    const float *__restrict ux = hy + bands.step, *__restrict uy = ux + bands.step;
    const float bias = BUSY_SCALE * BUSY_BIAS, root = sqrtf(bias);
#pragma GCC ivdep
    for (int64_t i = 0; i < n; i++) {
        const float size = sqrtf(square((ux[i] + hx[i]) * BUSY_X) + square((uy[i] + hy[i]) * BUSY_Y));
        out[i] = sqrtf(BUSY_SCALE * size + bias) - root;
    }
}

static void activity_adjoint(Planes bands, const float* __restrict gradient, int64_t n, MutablePlanes by_bands) {
    const float *__restrict hx = bands.first, *__restrict hy = hx + bands.step;
    const float *__restrict ux = hy + bands.step, *__restrict uy = ux + bands.step;
    float *__restrict by_hx = by_bands.first, *__restrict by_hy = by_hx + by_bands.step;
    float *__restrict by_ux = by_hy + by_bands.step, *__restrict by_uy = by_ux + by_bands.step;
#pragma GCC ivdep
    for (int64_t i = 0; i < n; i++) {
        const float x = (ux[i] + hx[i]) * BUSY_X, y = (uy[i] + hy[i]) * BUSY_Y;
        const float size = sqrtf(x * x + y * y);
        const float root = sqrtf(BUSY_SCALE * size + BUSY_SCALE * BUSY_BIAS);
        const float slope = gradient[i] * (.5f * BUSY_SCALE) / (root * larger(size, 1e-6f));
        by_hx[i] += slope * x * BUSY_X;
        by_ux[i] += slope * x * BUSY_X;
        by_hy[i] += slope * y * BUSY_Y;
        by_uy[i] += slope * y * BUSY_Y;
    }
}

constexpr int64_t ERODE = 3;

// The least three of a sample, its double (twice) and its neighbours, weighted; nothing is negative.
static void erode(const float* plane, int64_t height, int64_t width, int64_t begin, int64_t end, float* out) {
    for (int64_t y = begin; y < end; y++, out += width)
        for (int64_t x = 0; x < width; x++) {
            float least = plane[y * width + x], second = 2 * least, third = second;
            for (int64_t v = y - ERODE; v <= y + ERODE; v += ERODE)
                for (int64_t u = x - ERODE; u <= x + ERODE; u += ERODE) {
                    const bool centre = v == y && u == x;
                    if (centre || v < 0 || u < 0 || v >= height || u >= width) continue;
                    const float value = plane[v * width + u], above = larger(least, value);
                    least = smaller(least, value);
                    const float rest = larger(second, above);
                    second = smaller(second, above);
                    third = smaller(third, rest);
                }
            out[x] = .45f * least + .3f * second + .25f * third;
        }
}
