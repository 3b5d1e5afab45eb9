// Mutated scans for the entropy decoder, under sanitizers:  decode_fuzz SEEDS MUTANTS [RANDOM SEED]
//
// SEEDS holds scans of real files as benchmarks/fuzz_reader.py writes them. Every buffer is a heap
// block of exactly its size, so that AddressSanitizer sees each access outside of it.
#include <algorithm>
#include <array>
#include <chrono>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <iterator>
#include <random>
#include <vector>

#include "decode.h"

namespace {

using gradpress::Outcome;
using gradpress::ScanPlan;
using Bytes = std::vector<uint8_t>;
using Random = std::mt19937_64;

// A scan with what it needs: the numbers of a plan, its tables and its data.
struct Seed {
    ScanPlan plan = {};
    std::array<Bytes, 8> tables;  // 16 counts and 256 symbols each
    Bytes data;
};

class Reader {
   public:
    explicit Reader(const char* path) : in_(path, std::ios::binary) {
        if (!in_) std::fprintf(stderr, "%s cannot be opened\n", path), std::exit(2);
    }
    bool more() { return in_.peek() != std::ifstream::traits_type::eof(); }
    int32_t number() {
        std::array<unsigned char, 4> b = {};
        in_.read((char*)b.data(), 4);
        return (int32_t)((uint32_t)b[0] | (uint32_t)b[1] << 8 | (uint32_t)b[2] << 16 | (uint32_t)b[3] << 24);
    }
    Bytes bytes(size_t size) {
        Bytes read(size);
        in_.read((char*)read.data(), (std::streamsize)size);
        return read;
    }

   private:
    std::ifstream in_;
};

Seed read_seed(Reader& in) {
    Seed seed;
    ScanPlan& plan = seed.plan;
    plan.count = in.number(), plan.progressive = in.number();
    plan.begin = in.number(), plan.end = in.number(), plan.high = in.number(), plan.low = in.number();
    plan.mcu_rows = in.number(), plan.mcu_columns = in.number(), plan.restart_interval = in.number();
    plan.table_count = in.number();
    const auto size = (size_t)in.number();
    for (int i = 0; i < plan.count; i++) {
        auto& c = plan.components[i];
        c.rows = in.number(), c.columns = in.number(), c.own_rows = in.number(), c.own_columns = in.number();
        c.h = in.number(), c.v = in.number(), c.dc = in.number(), c.ac = in.number();
    }
    for (int i = 0; i < plan.table_count; i++) seed.tables[(size_t)i] = in.bytes(16 + 256);
    seed.data = in.bytes(size);
    return seed;
}

size_t below(Random& random, size_t bound) { return (size_t)(random() % bound); }

void change_byte(Bytes& data, Random& random) {
    constexpr std::array<uint8_t, 8> telling = {0xff, 0x00, 0xd0, 0xd3, 0xd7, 0xd9, 0x7f, 0x80};
    data[below(random, data.size())] = random() % 2 ? telling[below(random, 8)] : (uint8_t)random();
}

void change_data(Bytes& data, Random& random) {
    if (data.empty()) return;
    const auto at = (ptrdiff_t)below(random, data.size());
    const auto length = (ptrdiff_t)below(random, std::min<size_t>(64, data.size() - (size_t)at) + 1);
    const Bytes piece(data.begin() + at, data.begin() + at + length);
    const std::array<uint8_t, 2> marker = {0xff, (uint8_t)(0xd0 + random() % 8)};
    switch (random() % 8) {
        case 0: data.erase(data.begin() + at, data.begin() + at + length); break;
        case 1: data.insert(data.begin() + (ptrdiff_t)below(random, data.size()), piece.begin(), piece.end()); break;
        case 2: data.insert(data.begin() + at, marker.begin(), marker.end()); break;
        case 3: data.resize((size_t)at); break;
        default: change_byte(data, random);
    }
}

// Numbers that the Python side lets through, but no file of an encoder has.
void change_plan(ScanPlan& plan, Random& random) {
    plan.restart_interval = (int64_t)(random() % 9);
    if (!plan.progressive) return;
    plan.low = (int)(random() % 14), plan.high = random() % 2 ? plan.low + 1 : 0;
    if (plan.count > 1 || random() % 4 == 0) {
        plan.begin = plan.end = 0;
        return;
    }
    plan.begin = 1 + (int)(random() % 63);
    plan.end = plan.begin + (int)below(random, (size_t)(64 - plan.begin));
}

struct Tally {
    std::array<int64_t, 8> faults = {};
    double slowest = 0;  // seconds
};

void check(bool holds, const char* what) {
    if (!holds) std::fprintf(stderr, "%s\n", what), std::abort();
}

void run(Seed seed, Random& random, Tally& tally) {
    for (size_t n = random() % 8; n--;) change_data(seed.data, random);
    if (random() % 4 == 0 && seed.plan.table_count)
        change_byte(seed.tables[below(random, (size_t)seed.plan.table_count)], random);
    if (random() % 8 == 0) change_plan(seed.plan, random);
    ScanPlan& plan = seed.plan;
    for (int i = 0; i < plan.table_count; i++)
        plan.tables[i] = {seed.tables[(size_t)i].data(), seed.tables[(size_t)i].data() + 16};
    std::vector<std::vector<int16_t>> levels;
    std::vector<std::vector<int64_t>> spent;
    const bool counts = random() % 2;
    for (int i = 0; i < plan.count; i++) {
        auto& c = plan.components[i];
        levels.emplace_back((size_t)(c.rows * c.columns * 64));
        if (plan.high)
            for (auto& level : levels.back()) level = random() % 8 ? (int16_t)0 : (int16_t)random();
        c.levels = levels.back().data();
        spent.emplace_back(65);
        if (counts) c.spent = spent.back().data();
    }
    const Bytes exact(seed.data);
    const bool salvage = random() % 2;
    const auto start = std::chrono::steady_clock::now();
    const Outcome outcome = gradpress::decode_scan(exact.data(), (int64_t)exact.size(), plan, salvage);
    const std::chrono::duration<double> took = std::chrono::steady_clock::now() - start;
    tally.slowest = std::max(tally.slowest, took.count());
    tally.faults[(size_t)outcome.fault]++;
    check(0 <= outcome.offset && outcome.offset <= (int64_t)exact.size(), "an offset outside the data");
    check(0 <= outcome.units && outcome.units <= outcome.all_units, "more units than there are");
    check(0 <= outcome.unused && outcome.unused <= (int64_t)exact.size(), "more unused bytes than there are");
}

}  // namespace

int main(int count, char** values) {
    if (count < 3) return std::fprintf(stderr, "decode_fuzz SEEDS MUTANTS [RANDOM SEED]\n"), 2;
    std::vector<Seed> seeds;
    for (Reader in(values[1]); in.more();) seeds.push_back(read_seed(in));
    Random random(count > 3 ? std::strtoull(values[3], nullptr, 10) : 0);
    Tally tally;
    const int64_t mutants = std::strtoll(values[2], nullptr, 10);
    for (int64_t i = 0; i < mutants; i++) run(seeds[below(random, seeds.size())], random, tally);
    std::printf("%zu seeds, %lld mutants; by fault:", seeds.size(), (long long)mutants);
    for (const int64_t n : tally.faults) std::printf(" %lld", (long long)n);
    std::printf("; slowest %.1f ms\n", 1e3 * tally.slowest);
}
