// Rate-distortion optimal levels of one block's AC band, given code lengths: a shortest path over
// (run, size) symbols. Included inside the namespace of an instruction set.

struct Candidate {
    int level;        // magnitude
    int size;         // bits of the magnitude (T.81, table F.2)
    float distortion; // beyond that of a zero here
};

static inline int bit_size(int magnitude) {
    int size = 0;
    while (magnitude >> size) size++;
    return size;
}

// The rounded magnitude, the one below, and the largest of the next smaller size.
static inline int candidates_of(float magnitude, float weight, Candidate* out) {
    const int top = magnitude < 1023.f ? (int)(magnitude + .5f) : 1023;
    const auto add = [&](int level, int n) {
        // ½h(ls - t)² - ½h t² in units of steps, with weight = ½ h s².
        const float l = (float)level;
        out[n] = {level, bit_size(level), weight * l * (l - 2 * magnitude)};
        return n + 1;
    };
    int n = add(top, 0);
    if (top > 1) n = add(top - 1, n);
    const int below = (1 << (out[0].size - 1)) - 1;
    if (below >= 1 && below < top - 1) n = add(below, n);
    return n;
}

// What the trellis knows of the code: bits are already priced.
struct Price {
    float symbol[63][16];  // [run][size] of a nonzero level, zero runs (ZRL) included
    float end;             // end of a block or band after a nonzero level
    float empty;           // a band without one
    float lead[64];        // least of 0 and symbol[run + d][s] - symbol[run][s]: what being d further can save
};

static void make_price(const float* bits, float empty_bits, float lagrangian, Price* price) {
    price->end = lagrangian * bits[0];
    price->empty = lagrangian * empty_bits;
    for (int run = 0; run < 63; run++)
        for (int s = 0; s < 16; s++)
            price->symbol[run][s] =
                lagrangian * (bits[(run & 15) * 16 + s] + (float)(run >> 4) * bits[15 * 16]);
    for (int d = 0; d < 64; d++) {
        float least = 0;
        for (int run = 0; run + d < 63; run++)
            for (int s = 1; s <= 10; s++) {
                const float saved = price->symbol[run + d][s] - price->symbol[run][s];
                least = saved < least ? saved : least;
            }
        price->lead[d] = least;
    }
}

// A path's last nonzero coefficient, the least cost of such a path, and where it came from.
struct State {
    float score;
    int position, from, level;
};

static double trellis_block(const float* target, const float* weight, const float* inverse_step,
                            const Price* price, int64_t first, int64_t last, int16_t* levels) {
    State states[64] = {{0.f, (int)first - 1, 0, 0}};
    int active[64] = {0};  // states that may still be part of the shortest path
    int count = 1, live = 1;
    float zeros = 0;  // distortion of the band when every coefficient is zero
    for (int k = (int)first; k <= (int)last; k++) {
        levels[k] = 0;
        const float signed_magnitude = target[k] * inverse_step[k];
        const float magnitude = signed_magnitude < 0 ? -signed_magnitude : signed_magnitude;
        zeros += weight[k] * magnitude * magnitude;
        if (magnitude < .5f) continue;
        Candidate candidates[3];
        const int n = candidates_of(magnitude, weight[k], candidates);
        State best = {3.4e38f, k, 0, 0};
        for (int c = 0; c < n; c++) {
            float reached = 3.4e38f;
            int from = 0;
            for (int i = 0; i < live; i++) {
                const State* before = &states[active[i]];
                const float score =
                    before->score + price->symbol[k - before->position - 1][candidates[c].size];
                if (score < reached) reached = score, from = active[i];
            }
            reached += candidates[c].distortion;
            if (reached < best.score)
                best.score = reached, best.from = from, best.level = candidates[c].level;
        }
        if (signed_magnitude < 0) best.level = -best.level;
        // Whatever follows, a path through an older state that is no cheaper than this one, even
        // after the most that its position can save, cannot win.
        int kept = 0;
        for (int i = 0; i < live; i++) {
            const State* before = &states[active[i]];
            const bool beaten = best.score <= before->score + price->lead[k - before->position];
            if (!beaten) active[kept++] = active[i];
        }
        active[kept++] = count;
        live = kept;
        states[count++] = best;
    }
    int end = 0;
    float least = price->empty;
    for (int i = 0; i < live; i++) {
        const State* state = &states[active[i]];
        const float score = state->score + (state->position < last ? price->end : 0.f);
        if (active[i] > 0 && score < least) least = score, end = active[i];
    }
    for (; end > 0; end = states[end].from) levels[states[end].position] = (int16_t)states[end].level;
    return (double)least + (double)zeros;
}

static double trellis_ac(const float* target, const float* curvature, int64_t pitch, const float* steps,
                         const float* bits, float empty_bits, float lagrangian, int64_t first,
                         int64_t last, int64_t blocks, int16_t* levels) {
    float half_square[64], weight[64], inverse_step[64];
    for (int k = 0; k < 64; k++) {
        half_square[k] = .5f * steps[k] * steps[k];
        inverse_step[k] = 1.f / steps[k];
    }
    Price price;
    make_price(bits, empty_bits, lagrangian, &price);
    double sum = 0;
    for (int64_t block = 0; block < blocks; block++) {
        for (int k = 0; k < 64; k++) weight[k] = half_square[k] * curvature[block * pitch + k];
        sum += trellis_block(target + block * 64, weight, inverse_step, &price, first, last,
                             levels + block * 64);
    }
    return sum;
}
