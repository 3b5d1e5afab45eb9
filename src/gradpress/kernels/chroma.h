// libjpeg's "fancy" upsampling (jdsample.c: a triangle filter, 3/4 and 1/4 in each direction),
// its adjoint, and colour conversion (JFIF 1.02). Included inside the namespace of an instruction set.
//
// Each output sample mixes the nearest input sample with the next nearest, repeated at the border.
// Planes at most two samples wide are merely repeated, as libjpeg does.

static inline int64_t far_index(int64_t i, int64_t n) {
    const int64_t far = (i & 1) ? (i >> 1) + 1 : (i >> 1) - 1;
    return far < 0 ? 0 : far >= n ? n - 1 : far;
}

static void upsample(const float* plane, int64_t stride, int64_t height, int64_t width, int64_t v, int64_t begin,
                     int64_t end, int64_t out_width, float* out) {
    const bool box = width <= 2;
    for (int64_t row = begin; row < end; row++, out += out_width) {
        const float* near = plane + (v == 2 ? row >> 1 : row) * stride;
        const float* far = v == 2 && !box ? plane + far_index(row, height) * stride : near;
        if (box) {
            for (int64_t x = 0; x < out_width; x++) out[x] = near[x >> 1];
            continue;
        }
        const auto mixed = [=](int64_t x) { return near[x] * .75f + far[x] * .25f; };
        out[0] = mixed(0);
        out[1] = mixed(0) * .75f + mixed(1) * .25f;
        for (int64_t x = 1; x < width - 1; x++) {
            const float here = mixed(x) * .75f;
            out[2 * x] = here + mixed(x - 1) * .25f;
            out[2 * x + 1] = here + mixed(x + 1) * .25f;
        }
        const int64_t x = width - 1;
        out[2 * x] = mixed(x) * .75f + mixed(x - 1) * .25f;
        if (2 * x + 1 < out_width) out[2 * x + 1] = mixed(x);
    }
}

// Adds weight times the horizontal adjoint of one output row.
static void spread_row(const float* from, int64_t out_width, int64_t width, float weight, float* to) {
    if (width <= 2) {
        for (int64_t x = 0; x < out_width; x++) to[x >> 1] += weight * from[x];
        return;
    }
    const float near = .75f * weight, far = .25f * weight;
    to[0] += near * (from[0] + from[1]) + far * (from[0] + from[2]);
    for (int64_t x = 1; x < width - 1; x++)
        to[x] += near * (from[2 * x] + from[2 * x + 1]) + far * (from[2 * x - 1] + from[2 * x + 2]);
    const int64_t x = width - 1;
    to[x] += near * from[2 * x] + far * from[2 * x - 1];
    if (2 * x + 1 < out_width) to[x] += weight * from[2 * x + 1];
}

static void upsample_adjoint(const float* gradient, int64_t out_height, int64_t out_width, int64_t height,
                             int64_t width, int64_t v, int64_t begin, int64_t end, float* out, int64_t stride) {
    const bool box = width <= 2;
    for (int64_t row = begin; row < end; row++) {
        float* to = out + row * stride;
        for (int64_t x = 0; x < width; x++) to[x] = 0;
        const int64_t first = v == 2 ? 2 * row - 1 : row, last = v == 2 ? 2 * row + 2 : row;
        for (int64_t from = first < 0 ? 0 : first; from <= last && from < out_height; from++) {
            float weight = 1;
            if (v == 2 && box) weight = from >> 1 == row ? 1.f : 0.f;
            if (v == 2 && !box)
                weight = (from >> 1 == row ? .75f : 0.f) + (far_index(from, height) == row ? .25f : 0.f);
            if (weight != 0) spread_row(gradient + from * out_width, out_width, width, weight, to);
        }
    }
}

static void upsample_exact(const uint8_t* plane, int64_t stride, int64_t height, int64_t width, int64_t v,
                           int64_t begin, int64_t end, int64_t out_width, uint8_t* out) {
    const bool box = width <= 2;
    // One direction: (3 near + far + 1 or 2) / 4; both: (9, 3, 3, 1 weighted sum + 8 or 7) / 16.
    const int shift = v == 2 ? 4 : 2, even = v == 2 ? 8 : 1, odd = v == 2 ? 7 : 2;
    for (int64_t row = begin; row < end; row++, out += out_width) {
        const uint8_t* near = plane + (v == 2 ? row >> 1 : row) * stride;
        if (box) {
            for (int64_t x = 0; x < out_width; x++) out[x] = near[x >> 1];
            continue;
        }
        const uint8_t* far = v == 2 ? plane + far_index(row, height) * stride : near;
        const int far_weight = v == 2 ? 1 : 0, near_weight = v == 2 ? 3 : 1;
        const auto mixed = [=](int64_t x) { return near[x] * near_weight + far[x] * far_weight; };
        out[0] = (uint8_t)((mixed(0) * 4 + (v == 2 ? 8 : 0)) >> shift);
        for (int64_t x = 0; x < width - 1; x++) {
            out[2 * x + 1] = (uint8_t)((mixed(x) * 3 + mixed(x + 1) + odd) >> shift);
            out[2 * x + 2] = (uint8_t)((mixed(x + 1) * 3 + mixed(x) + even) >> shift);
        }
        const int64_t x = width - 1;
        if (2 * x + 1 < out_width) out[2 * x + 1] = (uint8_t)((mixed(x) * 4 + (v == 2 ? 7 : 0)) >> shift);
    }
}

static inline float clamped(float x) {
    x = x > 0.f ? x : 0.f;
    return x < 255.f ? x : 255.f;
}
static inline float inside(float x) { return (x >= 0.f) & (x <= 255.f) ? 1.f : 0.f; }

// JFIF 1.02: R = Y + 1.402 Cr', G = Y - 0.344136286 Cb' - 0.714136286 Cr', B = Y + 1.772 Cb'.
static void ycc_to_rgb(const float* __restrict y, const float* __restrict cb,
                       const float* __restrict cr, int64_t n, float* __restrict r, float* __restrict g,
                       float* __restrict b) {
    for (int64_t i = 0; i < n; i++) {
        const float luma = y[i], blue = cb[i] - 128.f, red = cr[i] - 128.f;
        r[i] = clamped(luma + 1.402f * red);
        g[i] = clamped(luma - .344136286f * blue - .714136286f * red);
        b[i] = clamped(luma + 1.772f * blue);
    }
}

static void ycc_to_rgb_adjoint(const float* __restrict y, const float* __restrict cb,
                               const float* __restrict cr, const float* __restrict dr,
                               const float* __restrict dg, const float* __restrict db, int64_t n,
                               float* __restrict dy, float* __restrict dcb, float* __restrict dcr) {
    for (int64_t i = 0; i < n; i++) {
        const float luma = y[i], blue = cb[i] - 128.f, red = cr[i] - 128.f;
        const float r = dr[i] * inside(luma + 1.402f * red);
        const float g = dg[i] * inside(luma - .344136286f * blue - .714136286f * red);
        const float b = db[i] * inside(luma + 1.772f * blue);
        dy[i] = r + g + b;
        dcb[i] = 1.772f * b - .344136286f * g;
        dcr[i] = 1.402f * r - .714136286f * g;
    }
}

static inline uint8_t to_byte(int x) { return (uint8_t)(x < 0 ? 0 : x > 255 ? 255 : x); }

// libjpeg's 16-bit fixed point conversion (jdcolor.c).
static void ycc_to_rgb_exact(const uint8_t* y, const uint8_t* cb, const uint8_t* cr, int64_t n,
                             uint8_t* rgb) {
    for (int64_t i = 0; i < n; i++) {
        const int blue = cb[i] - 128, red = cr[i] - 128;
        rgb[3 * i] = to_byte(y[i] + ((91881 * red + 32768) >> 16));
        rgb[3 * i + 1] = to_byte(y[i] + ((-22554 * blue - 46802 * red + 32768) >> 16));
        rgb[3 * i + 2] = to_byte(y[i] + ((116130 * blue + 32768) >> 16));
    }
}

static double squared_error(const float* decoded, const float* reference, int64_t n, float* gradient) {
    double lanes[16] = {0};  // fixed lanes: the sum does not depend on the vector width
    int64_t i = 0;
    for (; i + 16 <= n; i += 16)
        for (int j = 0; j < 16; j++) {
            const float d = decoded[i + j] - reference[i + j];
            lanes[j] += (double)(d * d);
            if (gradient) gradient[i + j] = 2 * d;
        }
    for (; i < n; i++) {
        const float d = decoded[i] - reference[i];
        lanes[0] += (double)(d * d);
        if (gradient) gradient[i] = 2 * d;
    }
    double sum = 0;
    for (int j = 0; j < 16; j++) sum += lanes[j];
    return sum;
}

static double absolute_error(const float* decoded, const float* reference, int64_t n, float* gradient) {
    double lanes[16] = {0};
    int64_t i = 0;
    for (; i + 16 <= n; i += 16)
        for (int j = 0; j < 16; j++) {
            const float d = decoded[i + j] - reference[i + j];
            lanes[j] += (double)(d < 0 ? -d : d);
            if (gradient) gradient[i + j] = (float)((d > 0) - (d < 0));
        }
    for (; i < n; i++) {
        const float d = decoded[i] - reference[i];
        lanes[0] += (double)(d < 0 ? -d : d);
        if (gradient) gradient[i] = (float)((d > 0) - (d < 0));
    }
    double sum = 0;
    for (int j = 0; j < 16; j++) sum += lanes[j];
    return sum;
}

// Of interleaved 8-bit samples against one float plane; the same lanes as above.
static double squared_error_bytes(const uint8_t* decoded, int64_t step, const float* reference, int64_t n) {
    double lanes[16] = {0};
    int64_t i = 0;
    for (; i + 16 <= n; i += 16)
        for (int j = 0; j < 16; j++) {
            const float d = (float)decoded[(i + j) * step] - reference[i + j];
            lanes[j] += (double)(d * d);
        }
    for (; i < n; i++) {
        const float d = (float)decoded[i * step] - reference[i];
        lanes[0] += (double)(d * d);
    }
    double sum = 0;
    for (int j = 0; j < 16; j++) sum += lanes[j];
    return sum;
}
