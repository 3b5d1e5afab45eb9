// Malta: differences of a band summed along lines in sixteen directions, so that edges and
// textures that were moved, lost or added count more than noise. Included inside the namespace of
// an instruction set.

// What the decoded picture lacks, or has too much of, in the direction of the reference.
static inline float lacking(float size, float along, float small, float big) {
    return larger(small * size - along, 0) - larger(along - big * size, 0);
}

constexpr float MALTA_SMALL = .55f, MALTA_BIG = 1.05f;

static void malta_difference(const float* reference, const float* decoded, int64_t height, int64_t width,
                             MaltaWeights weights, int64_t begin, int64_t end, float* out) {
    const int64_t stride = width + 2 * MALTA_MARGIN;
    for (int64_t y = begin - MALTA_MARGIN; y < end + MALTA_MARGIN; y++, out += stride) {
        const bool inside = 0 <= y && y < height;
        for (int64_t x = 0; x < MALTA_MARGIN; x++) out[x] = out[stride - 1 - x] = 0;
        float* __restrict to = out + MALTA_MARGIN;
        if (!inside) {
            for (int64_t x = 0; x < width; x++) to[x] = 0;
            continue;
        }
        const float *__restrict a = reference + y * width, *__restrict b = decoded + y * width;
        for (int64_t x = 0; x < width; x++) {
            const float size = magnitude(a[x]), sign = a[x] < 0 ? -1.f : 1.f;
            const float scale = 1 / (weights.norm + .5f * (size + magnitude(b[x])));
            const float extra = lacking(size, sign * b[x], MALTA_SMALL, MALTA_BIG);
            to[x] = scale * (weights.above * (a[x] - b[x]) + weights.below * sign * extra);
        }
    }
}

static void malta_difference_adjoint(const float* __restrict reference, const float* __restrict decoded,
                                     const float* __restrict gradient, int64_t n, MaltaWeights weights,
                                     float* __restrict out) {
    for (int64_t i = 0; i < n; i++) {
        const float a = reference[i], b = decoded[i];
        const float size = magnitude(a), sign = a < 0 ? -1.f : 1.f, along = sign * b;
        const float scale = 1 / (weights.norm + .5f * (size + magnitude(b)));
        const float extra = lacking(size, along, MALTA_SMALL, MALTA_BIG);
        const float difference = weights.above * (a - b) + weights.below * sign * extra;
        const float lacks = (along < MALTA_SMALL * size ? 1.f : 0.f) + (along > MALTA_BIG * size ? 1.f : 0.f);
        const float slope = -weights.above - weights.below * lacks;
        const float shrinking = .5f * scale * (b < 0 ? -1.f : b > 0 ? 1.f : 0.f);
        out[i] += gradient[i] * scale * (slope - shrinking * difference);
    }
}

// A line through a pixel: its samples on one side (the other is its mirror image).
struct Line {
    int32_t count;
    float weight;
    int32_t dy[4], dx[4];
};

constexpr int32_t DENSE_LINES = 12, SPARSE_LINES = 16;

// Four of the sixteen directions occur twice.
static const Line DENSE[DENSE_LINES] = {
    {4, 1, {0, 0, 0, 0}, {1, 2, 3, 4}},     {4, 1, {1, 2, 3, 4}, {0, 0, 0, 0}},
    {3, 1, {1, 2, 3}, {1, 2, 3}},           {3, 1, {1, 2, 3}, {-1, -2, -3}},
    {4, 2, {1, 2, 3, 4}, {0, 1, 1, 1}},     {4, 2, {1, 2, 3, 4}, {0, -1, -1, -1}},
    {4, 2, {0, 1, 1, 1}, {1, 2, 3, 4}},     {4, 2, {0, -1, -1, -1}, {1, 2, 3, 4}},
    {3, 1, {1, 2, 3}, {1, 1, 2}},           {3, 1, {1, 2, 3}, {-1, -1, -2}},
    {3, 1, {1, 1, 2}, {1, 2, 3}},           {3, 1, {-1, -1, -2}, {1, 2, 3}},
};

static const Line SPARSE[SPARSE_LINES] = {
    {2, 1, {0, 0}, {2, 4}},   {2, 1, {2, 4}, {0, 0}},   {2, 1, {2, 3}, {2, 3}},   {2, 1, {2, 3}, {-2, -3}},
    {2, 1, {2, 4}, {1, 1}},   {2, 1, {2, 4}, {-1, -1}}, {2, 1, {1, 1}, {2, 4}},   {2, 1, {-1, -1}, {2, 4}},
    {2, 1, {2, 3}, {1, 2}},   {2, 1, {2, 3}, {-1, -2}}, {2, 1, {1, 2}, {2, 3}},   {2, 1, {-1, -2}, {2, 3}},
    {2, 1, {-1, -2}, {2, 4}}, {2, 1, {1, 2}, {2, 4}},   {2, 1, {2, 4}, {1, 2}},   {2, 1, {2, 4}, {-1, -2}},
};

// Calls use(x, sum along the line at x) for n samples of a row.
template <class Use>
static inline void along_line(const float* __restrict d, int64_t stride, const Line& line, int64_t n, Use use) {
    int64_t o[4];
    for (int32_t i = 0; i < line.count; i++) o[i] = line.dy[i] * stride + line.dx[i];
    const float *__restrict p = d + o[0], *__restrict q = d - o[0], *__restrict r = d + o[1],
                            *__restrict s = d - o[1];
    if (line.count == 2) {
        for (int64_t x = 0; x < n; x++) use(x, d[x] + ((p[x] + q[x]) + (r[x] + s[x])));
        return;
    }
    const float *__restrict t = d + o[2], *__restrict u = d - o[2];
    if (line.count == 3) {
        for (int64_t x = 0; x < n; x++) use(x, d[x] + ((p[x] + q[x]) + (r[x] + s[x])) + (t[x] + u[x]));
        return;
    }
    const float *__restrict v = d + o[3], *__restrict w = d - o[3];
    for (int64_t x = 0; x < n; x++)
        use(x, d[x] + ((p[x] + q[x]) + (r[x] + s[x])) + ((t[x] + u[x]) + (v[x] + w[x])));
}

static void malta(const float* differences, int64_t rows, int64_t width, int32_t dense, float* out) {
    constexpr int64_t CHUNK = 1024;
    const Line* lines = dense ? DENSE : SPARSE;
    const int32_t count = dense ? DENSE_LINES : SPARSE_LINES;
    const int64_t stride = width + 2 * MALTA_MARGIN;
    for (int64_t y = 0; y < rows; y++)
        for (int64_t x0 = 0; x0 < width; x0 += CHUNK) {
            const int64_t n = width - x0 < CHUNK ? width - x0 : CHUNK;
            const float* from = differences + (y + MALTA_MARGIN) * stride + x0 + MALTA_MARGIN;
            float* __restrict to = out + y * width + x0;
            for (int32_t k = 0; k < count; k++) {
                const float weight = lines[k].weight;
                along_line(from, stride, lines[k], n,
                           [=](int64_t x, float sum) { to[x] += weight * (sum * sum); });
            }
        }
}

static void malta_adjoint(const float* differences, const float* gradient, int64_t rows, int64_t width,
                          int32_t dense, float* out) {
    constexpr int64_t ROWS = 32, COLUMNS = 256, REACH = 4, TILE = COLUMNS + 2 * REACH;
    const Line* lines = dense ? DENSE : SPARSE;
    const int32_t count = dense ? DENSE_LINES : SPARSE_LINES;
    const int64_t stride = width + 2 * MALTA_MARGIN;
    float sums[(ROWS + 2 * REACH) * TILE];
    for (int64_t y0 = 0; y0 < rows; y0 += ROWS)
        for (int64_t x0 = 0; x0 < width; x0 += COLUMNS) {
            const int64_t height = rows - y0 < ROWS ? rows - y0 : ROWS;
            const int64_t n = width - x0 < COLUMNS ? width - x0 : COLUMNS;
            for (int64_t y = 0; y < height; y++)
                for (int64_t x = 0; x < n; x++) out[(y0 + y) * width + x0 + x] = 0;
            for (int32_t k = 0; k < count; k++) {
                const float weight = 2 * lines[k].weight;
                for (int64_t y = 0; y < height + 2 * REACH; y++) {
                    const int64_t at = (y0 + y + MALTA_MARGIN - REACH) * stride + x0 + MALTA_MARGIN - REACH;
                    const float* __restrict by = gradient + at;
                    float* __restrict to = sums + y * TILE;
                    along_line(differences + at, stride, lines[k], n + 2 * REACH,
                               [=](int64_t x, float sum) { to[x] = weight * by[x] * sum; });
                }
                for (int64_t y = 0; y < height; y++) {
                    float* __restrict to = out + (y0 + y) * width + x0;
                    along_line(sums + (y + REACH) * TILE + REACH, TILE, lines[k], n,
                               [=](int64_t x, float sum) { to[x] += sum; });
                }
            }
        }
}
