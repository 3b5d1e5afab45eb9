// JPEG XL's recursive Gaussian (sigma 1.5), in the very order of its additions.
//
// In exact numbers it equals the nine taps; in single precision its poles on the unit circle let
// rounding errors grow, by enough to move scores of very good files. The published tool's scores
// hold those errors, so they are made here in the same way: four samples at a time along rows, one
// at a time across, with fused multiplications. Source: libjxl's gauss_blur.cc, after
// D. Charalampidis, "Recursive implementation of the Gaussian filter using truncated cosine
// functions", IEEE Transactions on Signal Processing 64(14), 2016.

enum { RADIUS = 5, TERMS = 3, GROUP = 4, ROWS = RECURSIVE_ROWS, COLUMNS = RECURSIVE_COLUMNS };

// Of each term: the four powers that carry an input, the last and the last but one output forwards.
static const float BY_INPUT[TERMS][GROUP] = {
    {0.05529523640871048f, 0.10517778992652893f, 0.14476481080055237f, 0.17018122971057892f},
    {-0.0588366873562336f, -0.06916667520999908f, -0.022473614662885666f, 0.04274735599756241f},
    {0.012955819256603718f, 1.5866302289841415e-18f, -0.012955819256603718f, -3.173260457968283e-18f}};
static const float BY_LAST[TERMS][GROUP] = {
    {1.9021130800247192f, 2.6180338859558105f, 3.077683448791504f, 3.2360680103302f},
    {1.1755704879760742f, 0.3819660246372223f, -0.7265425324440002f, -1.2360680103302002f},
    {1.2246468525851679e-16f, -1.0f, -2.4492937051703357e-16f, 1.0f}};
static const float BY_SECOND[TERMS][GROUP] = {
    {-1.0f, -1.9021130800247192f, -2.6180338859558105f, -3.077683448791504f},
    {-1.0f, -1.1755704879760742f, -0.3819660246372223f, 0.7265425324440002f},
    {-1.0f, -1.2246468525851679e-16f, 1.0f, 2.4492937051703357e-16f}};

// One output of a term from its sum of inputs and its last two outputs.
static inline float single_output(int term, float input, float last, float second) {
    return fused(BY_LAST[term][0], last, fused(BY_SECOND[term][0], second, BY_INPUT[term][0] * input));
}

// Four outputs of a term from four sums of inputs and its last two outputs.
struct Four {
    float a, b, c, d;
};
static inline Four four_outputs(int t, Four s, float* last, float* before) {
    const float *in = BY_INPUT[t], *one = BY_LAST[t], *two = BY_SECOND[t], x = *last, y = *before;
    const float a = fused(one[0], x, fused(two[0], y, in[0] * s.a));
    const float b = fused(one[1], x, fused(two[1], y, fused(in[0], s.b, in[1] * s.a)));
    const float c = fused(one[2], x, fused(two[2], y, fused(in[0], s.c, fused(in[1], s.b, in[2] * s.a))));
    const float v = fused(in[0], s.d, fused(in[1], s.c, fused(in[2], s.b, in[3] * s.a)));
    const float d = fused(one[3], x, fused(two[3], y, v));
    *before = c, *last = d;
    return {a, b, c, d};
}

// The same for ROWS rows side by side, summed over terms.
static void four_of_rows(const float* __restrict left, const float* __restrict right, float* __restrict last,
                    float* __restrict before, float* __restrict out) {
    for (int r = 0; r < ROWS; r++) {
        const float *l = left + r, *q = right + r;
        const Four sums = {l[0] + q[0], l[ROWS] + q[ROWS], l[2 * ROWS] + q[2 * ROWS], l[3 * ROWS] + q[3 * ROWS]};
        const Four z = four_outputs(2, sums, last + 2 * ROWS + r, before + 2 * ROWS + r);
        const Four y = four_outputs(1, sums, last + ROWS + r, before + ROWS + r);
        const Four x = four_outputs(0, sums, last + r, before + r);
        out[r] = x.a + (y.a + z.a);
        out[ROWS + r] = x.b + (y.b + z.b);
        out[2 * ROWS + r] = x.c + (y.c + z.c);
        out[3 * ROWS + r] = x.d + (y.d + z.d);
    }
}

// Blurs rows begin…begin + count (at most ROWS) of first × second along, or of first alone.
// lanes holds 2 × ROWS × width floats.
static void recursive_along(const float* first, const float* second, Index width, Index begin, Index count,
                            float* __restrict lanes, float* __restrict out) {
    float *__restrict in = lanes, *__restrict result = lanes + ROWS * width;
    const float *rows[ROWS], *factors[ROWS];
    for (Index r = 0; r < ROWS; r++) {
        const Index at = (begin + (r < count ? r : 0)) * width;
        rows[r] = first + at, factors[r] = second ? second + at : nullptr;
    }
    if (second)
        for (Index n = 0; n < width; n++)
            for (Index r = 0; r < ROWS; r++) in[n * ROWS + r] = rows[r][n] * factors[r][n];
    else
        for (Index n = 0; n < width; n++)
            for (Index r = 0; r < ROWS; r++) in[n * ROWS + r] = rows[r][n];
    float last[TERMS][ROWS] = {{0}}, before[TERMS][ROWS] = {{0}};
    const Index grouped = width - RADIUS + 1 - (GROUP - 1);
    Index n = 1 - RADIUS;
    while (n < width) {
        if (n >= 2 * GROUP && n < grouped) {
            const float *left = in + (n - RADIUS - 1) * ROWS, *right = in + (n + RADIUS - 1) * ROWS;
            four_of_rows(left, right, last[0], before[0], result + n * ROWS);
            n += GROUP;
            continue;
        }
        const Index left = n - RADIUS - 1, right = n + RADIUS - 1;
        for (int r = 0; r < ROWS; r++) {
            const float input = (left >= 0 ? in[left * ROWS + r] : 0.f) + (right < width ? in[right * ROWS + r] : 0.f);
            float value[TERMS];
            for (int t = 0; t < TERMS; t++) {
                value[t] = single_output(t, input, last[t][r], before[t][r]);
                before[t][r] = last[t][r], last[t][r] = value[t];
            }
            if (n >= 0) result[n * ROWS + r] = value[0] + (value[1] + value[2]);
        }
        n++;
    }
    const Index whole = width / 8 * 8;
    for (Index i = 0; i < whole; i += 8)
        for (Index r = 0; r < count; r++)
            for (Index k = i; k < i + 8; k++) out[(begin + r) * width + k] = result[k * ROWS + r];
    for (Index i = whole; i < width; i++)
        for (Index r = 0; r < count; r++) out[(begin + r) * width + i] = result[i * ROWS + r];
}

// Blurs columns begin…begin + count (at most COLUMNS) across.
static void recursive_across(const float* __restrict in, Index height, Index width, Index begin, Index count,
                                float* __restrict out) {
    static const float none[COLUMNS] = {0};
    float states[3][TERMS][COLUMNS] = {{{0}}};
    float top[COLUMNS] = {0}, bottom[COLUMNS] = {0};
    for (Index n = 1 - RADIUS; n < height; n++) {
        const Index above = n - RADIUS - 1, below = n + RADIUS - 1;
        const size_t bytes = sizeof(float) * (size_t)count;
        memcpy(top, above >= 0 ? in + above * width + begin : none, bytes);
        memcpy(bottom, below < height ? in + below * width + begin : none, bytes);
        const Index at = n + RADIUS;
        float(*__restrict now)[COLUMNS] = states[at % 3];
        const float(*__restrict last)[COLUMNS] = states[(at + 2) % 3], (*__restrict before)[COLUMNS] = states[(at + 1) % 3];
        float total[COLUMNS];
        for (int t = TERMS - 1; t >= 0; t--)
            for (int i = 0; i < COLUMNS; i++) {
                const float kept = fused(BY_LAST[t][0], last[t][i], -before[t][i]);
                now[t][i] = fused(BY_INPUT[t][0], top[i] + bottom[i], kept);
                total[i] = t == TERMS - 1 ? now[t][i] : now[t][i] + total[i];
            }
        if (n >= 0) memcpy(out + n * width + begin, total, bytes);
    }
}
