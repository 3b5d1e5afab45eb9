// From differences of bands to a map of distances, and to numbers. Included inside the namespace of
// an instruction set.

// The low bands' weights, and what of Y counts as B.
constexpr float LOW_X = 29.2353797994f * 32.2217497012f * 32.2217497012f;
constexpr float LOW_Y = .844626970982f * 13.7697791434f * 13.7697791434f;
constexpr float LOW_B = .703646627719f * 47.504615728f * 47.504615728f;
constexpr float Y_TO_B = -.362267051518f;

static void low_errors(Planes reference, Planes decoded, int64_t n, float* __restrict out) {
    const float *__restrict ax = reference.first, *__restrict ay = ax + reference.step;
    const float *__restrict bx = decoded.first, *__restrict by = bx + decoded.step;
    const float *__restrict az = ay + reference.step, *__restrict bz = by + decoded.step;
#pragma GCC ivdep
    for (int64_t i = 0; i < n; i++) {
        const float y = by[i] - ay[i];
        out[i] = LOW_X * square(bx[i] - ax[i]) + LOW_Y * square(y) + LOW_B * square(bz[i] - az[i] + Y_TO_B * y);
    }
}

static void low_errors_adjoint(Planes reference, Planes decoded, const float* __restrict gradient, int64_t n,
                               MutablePlanes by_decoded) {
    const float *__restrict ax = reference.first, *__restrict ay = ax + reference.step;
    const float *__restrict bx = decoded.first, *__restrict by = bx + decoded.step;
    const float *__restrict az = ay + reference.step, *__restrict bz = by + decoded.step;
    float *__restrict x = by_decoded.first, *__restrict y = x + by_decoded.step;
    float* __restrict z = y + by_decoded.step;
#pragma GCC ivdep
    for (int64_t i = 0; i < n; i++) {
        const float twice = 2 * gradient[i], dy = by[i] - ay[i];
        const float blue = twice * LOW_B * (bz[i] - az[i] + Y_TO_B * dy);
        x[i] = twice * LOW_X * (bx[i] - ax[i]);
        y[i] = twice * LOW_Y * dy + Y_TO_B * blue;
        z[i] = blue;
    }
}

static void squares(const float* __restrict reference, const float* __restrict decoded, int64_t n, float weight,
                    float* __restrict out) {
    for (int64_t i = 0; i < n; i++) out[i] += weight * square(decoded[i] - reference[i]);
}

static void squares_adjoint(const float* __restrict reference, const float* __restrict decoded,
                            const float* __restrict gradient, int64_t n, float weight, float* __restrict out) {
    for (int64_t i = 0; i < n; i++) out[i] += 2 * weight * gradient[i] * (decoded[i] - reference[i]);
}

constexpr float FAR_SMALL = .4f, FAR_BIG = 1;

static void far_squares(const float* __restrict reference, const float* __restrict decoded, int64_t n,
                        float weight, float* __restrict out) {
    for (int64_t i = 0; i < n; i++) {
        const float a = reference[i], along = a < 0 ? -decoded[i] : decoded[i];
        out[i] += weight * square(lacking(magnitude(a), along, FAR_SMALL, FAR_BIG));
    }
}

static void far_squares_adjoint(const float* __restrict reference, const float* __restrict decoded,
                                const float* __restrict gradient, int64_t n, float weight,
                                float* __restrict out) {
    for (int64_t i = 0; i < n; i++) {
        const float a = reference[i], sign = a < 0 ? -1.f : 1.f;
        out[i] -= 2 * weight * gradient[i] * sign * lacking(magnitude(a), sign * decoded[i], FAR_SMALL, FAR_BIG);
    }
}

// The distance that counts as good is 17.8 at 255 nits, and ln 80 / ln 255 of that at 80.
constexpr float GLOBAL_SCALE = 1 / (17.8f * .79079917404f);

static inline float mask_ac(float busy) {
    return square(GLOBAL_SCALE * (1 + 2.5485944793f / (.451936922203f * busy + .829591754942f)));
}
static inline float mask_dc(float busy) {
    return square(GLOBAL_SCALE * (1 + .505054525019f / (3.87449418804f * busy + .20025578522f)));
}

constexpr float BUSY_ERROR = 10;

static void combine(const float* __restrict ac, const float* __restrict dc, const float* __restrict busy,
                    const float* __restrict busy_decoded, const float* __restrict mask, int64_t n,
                    float* __restrict distance) {
    for (int64_t i = 0; i < n; i++) {
        const float high = ac[i] + BUSY_ERROR * square(busy_decoded[i] - busy[i]);
        distance[i] = sqrtf(dc[i] * mask_dc(mask[i]) + high * mask_ac(mask[i]));
    }
}

static void combine_adjoint(const float* __restrict distance, const float* __restrict busy,
                            const float* __restrict busy_decoded, const float* __restrict mask,
                            const float* __restrict gradient, int64_t n, float* __restrict by_ac,
                            float* __restrict by_dc, float* __restrict by_busy) {
    for (int64_t i = 0; i < n; i++) {
        const float slope = gradient[i] * .5f / larger(distance[i], 1e-6f);
        const float high = slope * mask_ac(mask[i]);
        by_ac[i] = high;
        by_dc[i] = slope * mask_dc(mask[i]);
        by_busy[i] = 2 * BUSY_ERROR * high * (busy_decoded[i] - busy[i]);
    }
}

constexpr float HALF_WEIGHT = .5f, FULL_WEIGHT = 1 - .3f * HALF_WEIGHT;
constexpr int LANES = 16;

static void add_half(const float* distance, const float* half, int64_t width, int64_t begin, int64_t end,
                     float* total) {
    for (int64_t y = begin; y < end; y++, total += width) {
        const float *__restrict row = distance + y * width, *__restrict from = half + y / 2 * ((width + 1) / 2);
        float* __restrict to = total;
        for (int64_t x = 0; x < width / 2; x++) {
            to[2 * x] = FULL_WEIGHT * row[2 * x] + HALF_WEIGHT * from[x];
            to[2 * x + 1] = FULL_WEIGHT * row[2 * x + 1] + HALF_WEIGHT * from[x];
        }
        if (width & 1) to[width - 1] = FULL_WEIGHT * row[width - 1] + HALF_WEIGHT * from[width / 2];
    }
}

static void pool(const float* total, int64_t n, double* sums) {
    double third[LANES] = {0}, sixth[LANES] = {0}, twelfth[LANES] = {0};
    float most[LANES] = {0};
    for (int64_t i = 0; i < n; i += LANES) {
        float values[LANES] = {0};
        if (i + LANES <= n)
            for (int64_t l = 0; l < LANES; l++) values[l] = total[i + l];
        else
            for (int64_t l = 0; i + l < n; l++) values[l] = total[i + l];
        for (int64_t l = 0; l < LANES; l++) {
            const double value = (double)values[l], cube = value * value * value, more = cube * cube;
            third[l] += cube, sixth[l] += more, twelfth[l] += more * more;
            most[l] = larger(most[l], values[l]);
        }
    }
    for (int i = 0; i < 4; i++) sums[i] = 0;
    for (int l = 0; l < LANES; l++) {
        sums[0] += third[l], sums[1] += sixth[l], sums[2] += twelfth[l];
        sums[3] = sums[3] > (double)most[l] ? sums[3] : (double)most[l];
    }
}

static void pool_adjoint(const float* __restrict total, const double* weights, int64_t n,
                         float* __restrict out) {
    const double a = 3 * weights[0], b = 6 * weights[1], c = 12 * weights[2];
    for (int64_t i = 0; i < n; i++) {
        const double d = (double)total[i], d2 = d * d, d3 = d2 * d;
        out[i] = (float)(d2 * (a + d3 * (b + d3 * d3 * c)));
    }
}
