// Picks the instruction set at run time, and holds the kernels that do not gain from one.
#include <cstdlib>
#include <cstring>
#include <vector>

#include "kernels.h"

#if defined(GRADPRESS_X86) && defined(_MSC_VER)
#include <immintrin.h>
#include <intrin.h>
#endif

namespace gradpress {

namespace {

#if defined(GRADPRESS_X86) && defined(_MSC_VER)
bool has(bool want_avx512) {
    int info[4];
    __cpuid(info, 1);
    const bool saves_state = (info[2] & (1 << 27)) != 0, has_fma = (info[2] & (1 << 12)) != 0;
    if (!saves_state) return false;
    const unsigned long long state = _xgetbv(0);
    __cpuidex(info, 7, 0);
    const unsigned features = (unsigned)info[1];
    const unsigned avx512 = (1u << 16) | (1u << 17) | (1u << 30) | (1u << 31);  // F, DQ, BW, VL
    if (want_avx512) return (state & 0xe6) == 0xe6 && (features & avx512) == avx512;
    return (state & 6) == 6 && (features & (1u << 5)) != 0 && has_fma;
}
#elif defined(GRADPRESS_X86)
bool has(bool want_avx512) {
    __builtin_cpu_init();
    if (want_avx512)
        return __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&
               __builtin_cpu_supports("avx512dq") && __builtin_cpu_supports("avx512vl");
    return __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma");
}
#endif

int best() {
#ifdef GRADPRESS_X86
    const char* asked = std::getenv("GRADPRESS_ISA");
    const auto at_most = [&](const char* isa) { return !asked || std::strcmp(asked, isa) == 0; };
    if (at_most("avx512") && has(true)) return 2;
    if ((at_most("avx2") || at_most("avx512")) && has(false)) return 1;
#endif
    return 0;
}

}  // namespace

int instruction_set() {
    static const int picked = best();
    return picked;
}

const Numeric& numeric() {
#ifdef GRADPRESS_X86
    const Numeric* sets[] = {&portable_kernels, &avx2_kernels, &avx512_kernels};
    return *sets[instruction_set()];
#else
    return portable_kernels;
#endif
}

double viterbi_dc(const float* target, const float* curvature, int64_t pitch, float step, const float* bits,
                  float lagrangian, const int32_t* order, int64_t blocks, int16_t* levels) {
    constexpr int REACH = 1, WIDTH = 2 * REACH + 1;
    if (blocks == 0) return 0;
    float cost[16];
    for (int s = 0; s < 16; s++) cost[s] = lagrangian * bits[s];
    std::vector<int8_t> from((size_t)blocks * WIDTH);
    std::vector<int16_t> centre((size_t)blocks);
    double score[WIDTH] = {0};
    int previous = 0;
    for (int64_t i = 0; i < blocks; i++) {
        const float magnitude = target[(int64_t)order[i] * 64] / step;
        const float weight = .5f * curvature[order[i] * pitch] * step * step;
        const float bounded = magnitude < -1022 ? -1022 : magnitude > 1022 ? 1022 : magnitude;
        const int middle = (int)(bounded + (bounded < 0 ? -.5f : .5f));
        centre[(size_t)i] = (int16_t)middle;
        double next[WIDTH];
        for (int c = 0; c < WIDTH; c++) {
            const int level = middle + c - REACH;
            const float error = (float)level - magnitude;
            double least = 1e300;
            for (int p = 0; p < (i ? WIDTH : 1); p++) {
                const int before = i ? previous + p - REACH : 0;
                const int difference = level > before ? level - before : before - level;
                int size = 0;
                while (difference >> size) size++;
                const double reached = score[p] + (double)cost[size];
                if (reached < least) least = reached, from[(size_t)i * WIDTH + (size_t)c] = (int8_t)p;
            }
            next[c] = least + (double)(weight * error * error);
        }
        for (int c = 0; c < WIDTH; c++) score[c] = next[c];
        previous = middle;
    }
    int best = 0;
    for (int c = 1; c < WIDTH; c++)
        if (score[c] < score[best]) best = c;
    const double least = score[best];
    for (int64_t i = blocks - 1; i >= 0; i--) {
        levels[(int64_t)order[i] * 64] = (int16_t)(centre[(size_t)i] + best - REACH);
        best = from[(size_t)i * WIDTH + (size_t)best];
    }
    return least;
}

}  // namespace gradpress
