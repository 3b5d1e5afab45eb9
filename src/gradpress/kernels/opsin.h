// From sRGB samples to light, and to the colours that the eye's cones see: X (red against green),
// Y and B. Included inside the namespace of an instruction set.

constexpr float NITS = 80;  // of white
constexpr float TOE = .04045f, OFFSET = .055f;  // IEC 61966-2-1

// x^2.4 for x in [0.09, 1]: with w = x^¼, w⁹ times a polynomial for w^0.6 (a least-squares fit over
// Chebyshev nodes; relative error below 5e-8).
static inline float power_12_5(float x) {
    const float w = sqrtf(sqrtf(x)), w2 = w * w, w4 = w2 * w2;
    float p = -.07591285993f;
    p = p * w + .42947053956f;
    p = p * w - 1.05980755915f;
    p = p * w + 1.51569926260f;
    p = p * w - 1.46451733363f;
    p = p * w + 1.52928389569f;
    p = p * w + .12578401672f;
    return w4 * w4 * w * p;
}

static inline float light_of(float encoded) {
    const float u = encoded * (1 / 255.f);
    const float curved = NITS * power_12_5((larger(u, TOE) + OFFSET) * (1 / 1.055f));
    return u > TOE ? curved : u * (NITS / 12.92f);
}

static void light(const float* __restrict encoded, int64_t n, float* __restrict nits) {
    for (int64_t i = 0; i < n; i++) nits[i] = light_of(encoded[i]);
}

static void light_adjoint(const float* __restrict encoded, const float* __restrict gradient, int64_t n,
                          float* __restrict out) {
    for (int64_t i = 0; i < n; i++) {
        const float u = encoded[i] * (1 / 255.f);
        const float curved = 2.4f * light_of(encoded[i]) / (u + OFFSET);
        out[i] = gradient[i] * (1 / 255.f) * (u > TOE ? curved : NITS / 12.92f);
    }
}

// ln v for positive normal v: the exponent that leaves a mantissa in [2/3, 4/3), and the series of
// artanh, whose next term is below 1e-8.
static inline float natural_log(float v) {
    const int32_t bits = __builtin_bit_cast(int32_t, v), exponent = (bits - 0x3f2aaaab) >> 23;
    const float mantissa = __builtin_bit_cast(float, bits - exponent * (1 << 23));
    const float s = (mantissa - 1) / (mantissa + 1), s2 = s * s;
    const float series = 1 + s2 * (1 / 3.f + s2 * (1 / 5.f + s2 * (1 / 7.f + s2 * (1 / 9.f))));
    return (float)exponent * .69314718056f + 2 * s * series;
}

constexpr float GAMMA_SCALE = 19.245013259874995f, GAMMA_SHIFT = 9.9710635769299145f;
constexpr float GAMMA_BASE = 23.16046239805755f;

// The response to light v, by v.
static inline float sensitivity(float v) {
    return (GAMMA_SCALE * natural_log(v + GAMMA_SHIFT) - GAMMA_BASE) / v;
}

static inline float sensitivity_slope(float v) {
    return (GAMMA_SCALE / (v + GAMMA_SHIFT) - sensitivity(v)) / v;
}

constexpr float DARK_LM = 1.7557483643287353f, DARK_S = 12.226454707163354f;

static inline float long_cone(float r, float g, float b) {
    return .29956550340058319f * r + .63373087833825936f * g + .077705617820981968f * b + DARK_LM;
}
static inline float medium_cone(float r, float g, float b) {
    return .22158691104574774f * r + .69391388044116142f * g + .0987313588422f * b + DARK_LM;
}
static inline float short_cone(float r, float g, float b) {
    return .02f * r + .02f * g + .20480129041026129f * b + DARK_S;
}
// Gradients by the cones' responses to gradients by light.
static inline float red_of(float l, float m, float s) {
    return .29956550340058319f * l + .22158691104574774f * m + .02f * s;
}
static inline float green_of(float l, float m, float s) {
    return .63373087833825936f * l + .69391388044116142f * m + .02f * s;
}
static inline float blue_of(float l, float m, float s) {
    return .077705617820981968f * l + .0987313588422f * m + .20480129041026129f * s;
}

static void opsin(Planes light, Planes blurred, int64_t n, MutablePlanes xyb) {
    const float *__restrict r = light.first, *__restrict g = r + light.step, *__restrict b = g + light.step;
    const float *__restrict sr = blurred.first, *__restrict sg = sr + blurred.step,
                *__restrict sb = sg + blurred.step;
    float *__restrict x = xyb.first, *__restrict y = x + xyb.step, *__restrict z = y + xyb.step;
#pragma GCC ivdep
    for (int64_t i = 0; i < n; i++) {
        const float l = long_cone(r[i], g[i], b[i]) * sensitivity(long_cone(sr[i], sg[i], sb[i]));
        const float m = medium_cone(r[i], g[i], b[i]) * sensitivity(medium_cone(sr[i], sg[i], sb[i]));
        const float s = short_cone(r[i], g[i], b[i]) * sensitivity(short_cone(sr[i], sg[i], sb[i]));
        const float lit = larger(l, DARK_LM), mid = larger(m, DARK_LM);
        x[i] = lit - mid;
        y[i] = lit + mid;
        z[i] = larger(s, DARK_S);
    }
}

// One cone: its gradient by its own light replaces `gradient`, that by its surroundings is given.
static inline float cone_adjoint(float here, float around, float dark, float* gradient) {
    const float sensitive = sensitivity(around);
    const float open = here * sensitive > dark ? *gradient : 0;
    *gradient = open * sensitive;
    return open * here * sensitivity_slope(around);
}

static void opsin_adjoint(Planes light, Planes blurred, Planes gradient, int64_t n, MutablePlanes by_light,
                          MutablePlanes by_blurred) {
    const float *__restrict r = light.first, *__restrict g = r + light.step, *__restrict b = g + light.step;
    const float *__restrict sr = blurred.first, *__restrict sg = sr + blurred.step,
                *__restrict sb = sg + blurred.step;
    const float *__restrict dx = gradient.first, *__restrict dy = dx + gradient.step,
                *__restrict dz = dy + gradient.step;
    float *__restrict lr = by_light.first, *__restrict lg = lr + by_light.step,
          *__restrict lb = lg + by_light.step;
    float *__restrict br = by_blurred.first, *__restrict bg = br + by_blurred.step,
          *__restrict bb = bg + by_blurred.step;
#pragma GCC ivdep
    for (int64_t i = 0; i < n; i++) {
        float l = dy[i] + dx[i], m = dy[i] - dx[i], s = dz[i];
        const float al = cone_adjoint(long_cone(r[i], g[i], b[i]), long_cone(sr[i], sg[i], sb[i]), DARK_LM, &l);
        const float am =
            cone_adjoint(medium_cone(r[i], g[i], b[i]), medium_cone(sr[i], sg[i], sb[i]), DARK_LM, &m);
        const float as = cone_adjoint(short_cone(r[i], g[i], b[i]), short_cone(sr[i], sg[i], sb[i]), DARK_S, &s);
        lr[i] = red_of(l, m, s), lg[i] = green_of(l, m, s), lb[i] = blue_of(l, m, s);
        br[i] = red_of(al, am, as), bg[i] = green_of(al, am, as), bb[i] = blue_of(al, am, as);
    }
}
