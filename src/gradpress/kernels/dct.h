// The orthonormal 8x8 DCT-II (T.81, A.3.3) by two matrix products, and libjpeg's integer inverse.
// Included by numeric.cpp inside the namespace of an instruction set.

static const uint8_t ZIGZAG[64] = {
    0,  1,  8,  16, 9,  2,  3,  10, 17, 24, 32, 25, 18, 11, 4,  5,  12, 19, 26, 33, 40, 48,
    41, 34, 27, 20, 13, 6,  7,  14, 21, 28, 35, 42, 49, 56, 57, 50, 43, 36, 29, 22, 15, 23,
    30, 37, 44, 51, 58, 59, 52, 45, 38, 31, 39, 46, 53, 60, 61, 54, 47, 55, 62, 63};

// BASIS[8 u + x] = c(u) / 2 cos((2 x + 1) u π / 16), c(0) = √½, c(u) = 1.
static const float BASIS[64] = {
    .353553391f, .353553391f, .353553391f, .353553391f, .353553391f, .353553391f, .353553391f, .353553391f,
    .490392640f, .415734806f, .277785117f, .0975451610f, -.0975451610f, -.277785117f, -.415734806f, -.490392640f,
    .461939766f, .191341716f, -.191341716f, -.461939766f, -.461939766f, -.191341716f, .191341716f, .461939766f,
    .415734806f, -.0975451610f, -.490392640f, -.277785117f, .277785117f, .490392640f, .0975451610f, -.415734806f,
    .353553391f, -.353553391f, -.353553391f, .353553391f, .353553391f, -.353553391f, -.353553391f, .353553391f,
    .277785117f, -.490392640f, .0975451610f, .415734806f, -.415734806f, -.0975451610f, .490392640f, -.277785117f,
    .191341716f, -.461939766f, .461939766f, -.191341716f, -.191341716f, .461939766f, -.461939766f, .191341716f,
    .0975451610f, -.277785117f, .415734806f, -.490392640f, .490392640f, -.415734806f, .277785117f, -.0975451610f};

// out = left · right for 8x8 matrices, with left given by its transpose: eight lanes at a time.
static inline void product(const float* __restrict left_transposed, const float* __restrict right,
                           float* __restrict out) {
    for (int i = 0; i < 8; i++) {
        const float* column = left_transposed + i;
        float row[8];
        for (int j = 0; j < 8; j++) {
            float sum = column[0] * right[j];
            for (int k = 1; k < 8; k++) sum += column[8 * k] * right[8 * k + j];
            row[j] = sum;
        }
        for (int j = 0; j < 8; j++) out[8 * i + j] = row[j];
    }
}

static inline void transpose(const float* __restrict from, float* __restrict to) {
    for (int i = 0; i < 8; i++)
        for (int j = 0; j < 8; j++) to[8 * i + j] = from[8 * j + i];
}

static void forward_dct(const float* plane, int64_t stride, int64_t block_rows, int64_t block_columns,
                        float shift, const float* clamped, float* coefficients) {
    float basis_transposed[64], samples[64], half[64], half_transposed[64], natural[64];
    transpose(BASIS, basis_transposed);
    for (int64_t block = 0; block < block_rows * block_columns; block++) {
        const float* from = plane + block / block_columns * 8 * stride + block % block_columns * 8;
        for (int y = 0; y < 8; y++)
            for (int x = 0; x < 8; x++) samples[8 * y + x] = from[y * stride + x] - shift;
        if (clamped) {
            const float* at = clamped + (from - plane);
            for (int y = 0; y < 8; y++)
                for (int x = 0; x < 8; x++) {
                    const float sample = at[y * stride + x];
                    samples[8 * y + x] *= (sample > 0.f) & (sample < 255.f) ? 1.f : 0.f;
                }
        }
        product(basis_transposed, samples, half);
        transpose(half, half_transposed);
        product(half_transposed, basis_transposed, natural);
        for (int k = 0; k < 64; k++) coefficients[block * 64 + k] = natural[ZIGZAG[k]];
    }
}

static void inverse_dct(const float* coefficients, int64_t block_rows, int64_t block_columns, float shift,
                        float low, float high, float* plane, int64_t stride) {
    float transposed[64], half[64], samples[64];
    for (int64_t block = 0; block < block_rows * block_columns; block++) {
        // Zigzag order read by columns gives the transpose.
        for (int k = 0; k < 64; k++)
            transposed[(ZIGZAG[k] & 7) * 8 + (ZIGZAG[k] >> 3)] = coefficients[block * 64 + k];
        product(transposed, BASIS, half);       // rows: samples along x of each frequency along y
        product(BASIS, half, samples);
        float* to = plane + block / block_columns * 8 * stride + block % block_columns * 8;
        for (int y = 0; y < 8; y++)
            for (int x = 0; x < 8; x++) {
                float sample = samples[8 * y + x] + shift;
                sample = sample > low ? sample : low;
                to[y * stride + x] = sample < high ? sample : high;
            }
    }
}

static void dequantise(const int16_t* levels, const float* steps, int64_t blocks, float* coefficients) {
    for (int64_t block = 0; block < blocks; block++)
        for (int k = 0; k < 64; k++)
            coefficients[block * 64 + k] = (float)levels[block * 64 + k] * steps[k];
}

// One pass of the Loeffler-Ligtenberg-Moschytz inverse DCT (ICASSP 1989) in 13-bit fixed point,
// with the constants and rounding of the IJG's jidctint.c, on eight columns at once.
// The output of a pass is scaled up by 2^3 (√8 twice over both passes), descaled by `down` bits.
template <int DOWN>
static inline void exact_pass(const int32_t* __restrict in, int32_t* __restrict out) {
    for (int x = 0; x < 8; x++) {
        const int32_t even = (in[16 + x] + in[48 + x]) * 4433;  // 0.541196100
        const int32_t e2 = even - in[48 + x] * 15137;         // 1.847759065
        const int32_t e3 = even + in[16 + x] * 6270;          // 0.765366865
        const int32_t e0 = (in[x] + in[32 + x]) * 8192, e1 = (in[x] - in[32 + x]) * 8192;
        const int32_t a0 = e0 + e3, a3 = e0 - e3, a1 = e1 + e2, a2 = e1 - e2;

        const int32_t t0 = in[56 + x], t1 = in[40 + x], t2 = in[24 + x], t3 = in[8 + x];
        const int32_t z5 = (t0 + t2 + t1 + t3) * 9633;  // 1.175875602
        const int32_t z1 = -(t0 + t3) * 7373;           // 0.899976223
        const int32_t z2 = -(t1 + t2) * 20995;          // 2.562915447
        const int32_t z3 = z5 - (t0 + t2) * 16069;      // 1.961570560
        const int32_t z4 = z5 - (t1 + t3) * 3196;       // 0.390180644
        const int32_t o0 = t0 * 2446 + z1 + z3;         // 0.298631336
        const int32_t o1 = t1 * 16819 + z2 + z4;        // 2.053119869
        const int32_t o2 = t2 * 25172 + z2 + z3;        // 3.072711026
        const int32_t o3 = t3 * 12299 + z1 + z4;        // 1.501321110

        const int32_t half = 1 << (DOWN - 1);
        out[x] = (a0 + o3 + half) >> DOWN, out[56 + x] = (a0 - o3 + half) >> DOWN;
        out[8 + x] = (a1 + o2 + half) >> DOWN, out[48 + x] = (a1 - o2 + half) >> DOWN;
        out[16 + x] = (a2 + o1 + half) >> DOWN, out[40 + x] = (a2 - o1 + half) >> DOWN;
        out[24 + x] = (a3 + o0 + half) >> DOWN, out[32 + x] = (a3 - o0 + half) >> DOWN;
    }
}

static void inverse_dct_exact(const int16_t* levels, const int16_t* steps, int64_t block_rows,
                              int64_t block_columns, uint8_t* plane, int64_t stride) {
    int32_t a[64], b[64];
    for (int64_t block = 0; block < block_rows * block_columns; block++) {
        for (int k = 0; k < 64; k++) a[ZIGZAG[k]] = levels[block * 64 + k] * steps[k];
        exact_pass<11>(a, b);
        for (int i = 0; i < 8; i++)
            for (int j = 0; j < 8; j++) a[8 * i + j] = b[8 * j + i];
        exact_pass<18>(a, b);
        uint8_t* to = plane + block / block_columns * 8 * stride + block % block_columns * 8;
        for (int y = 0; y < 8; y++)
            for (int x = 0; x < 8; x++) {
                const int32_t sample = b[8 * x + y] + 128;
                to[y * stride + x] = (uint8_t)(sample < 0 ? 0 : sample > 255 ? 255 : sample);
            }
    }
}
