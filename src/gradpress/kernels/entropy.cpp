// Entropy coding of levels: symbols are walked by the same code whether they are counted or
// written, so an estimate and a file cannot differ (T.81, F.1.2 and G.1.2). All integer.
#include <nanobind/stl/vector.h>

#include <algorithm>
#include <array>
#include <bit>
#include <cstdint>
#include <cstdlib>
#include <vector>

#include "binding.h"

namespace gradpress {
namespace {

int bit_size(int magnitude) { return std::bit_width((unsigned)magnitude); }

// Sizes that 8-bit samples can need (T.81, tables F.1 and F.2).
int dc_size(int difference) {
    const int size = bit_size(std::abs(difference));
    require(size <= 11, "a DC difference exceeds 11 bits");
    return size;
}

int ac_size(int level) {
    const int size = bit_size(std::abs(level));
    require(size <= 10, "an AC level exceeds 10 bits");
    return size;
}

// The low bits that follow a (run, size) or DC symbol: negative values less one (T.81, F.1.2.1).
uint32_t magnitude_bits(int value) { return (uint32_t)(value < 0 ? value - 1 : value); }

// Bit k set where level k is not 0.
uint64_t nonzero_places(const int16_t* block) {
    uint64_t places = 0;
    for (int k = 0; k < 64; k++) places |= (uint64_t)(block[k] != 0) << k;
    return places;
}

// ---- where symbols go ----------------------------------------------------------------------

struct Counter {
    int64_t* counts;
    int64_t raw_bits = 0;
    void symbol(int s) { counts[s]++; }
    void symbol(int s, uint32_t, int size) { counts[s]++, raw_bits += size; }
    void corrections(const uint8_t*, int size) { raw_bits += size; }
};

struct Summer {
    const uint8_t* sizes;
    int* bits;
    void symbol(int s, uint32_t = 0, int size = 0) { *bits += sizes[s] + size; }
};

struct Code {
    const uint16_t* word;  // (256,)
    const uint8_t* size;   // (256,), 0 for a symbol without a code
};

class BitWriter {
   public:
    void bits(uint32_t value, int size) {
        held_ = held_ << size | (value & ((1ull << size) - 1));
        count_ += size;
        if (count_ >= 32) four_bytes((uint32_t)(held_ >> (count_ -= 32)));
    }

    nb::bytes finish() {
        if (count_ % 8) bits(0x7f, 8 - count_ % 8);  // filled with ones (T.81, F.1.2.3)
        while (count_) byte((uint8_t)(held_ >> (count_ -= 8)));
        return nb::bytes((const char*)bytes_.data(), bytes_.size());
    }

   private:
    void byte(uint8_t value) {
        bytes_.push_back(value);
        if (value == 0xff) bytes_.push_back(0);
    }

    void four_bytes(uint32_t word) {
        const std::array<uint8_t, 4> bytes = {(uint8_t)(word >> 24), (uint8_t)(word >> 16),
                                              (uint8_t)(word >> 8), (uint8_t)word};
        const bool some_ff = (~word - 0x01010101u) & word & 0x80808080u;
        if (some_ff)
            for (const uint8_t value : bytes) byte(value);
        else
            bytes_.insert(bytes_.end(), bytes.begin(), bytes.end());
    }

    std::vector<uint8_t> bytes_;
    uint64_t held_ = 0;
    int count_ = 0;  // bits held, fewer than 32
};

struct Writer {
    BitWriter* out;
    Code code;
    void symbol(int s) { symbol(s, 0, 0); }
    void symbol(int s, uint32_t value, int size) {
        require(code.size[s], "a symbol has no code in its table");
        const uint32_t low = value & ((1u << size) - 1);
        out->bits((uint32_t)code.word[s] << size | low, code.size[s] + size);
    }
    void corrections(const uint8_t* bits, int size) {
        for (int i = 0; i < size; i++) out->bits(bits[i], 1);
    }
};

// ---- one component's AC levels in progressive scans -------------------------------------------

struct Level {
    int16_t value;
    uint8_t place;  // zigzag position
};

struct Block {
    uint64_t places;  // bit k is set where level k is listed
    uint64_t first;   // index of the first level listed
};

// Nonzero levels block by block.
struct Nonzeros {
    std::vector<Block> blocks;
    std::vector<Level> levels;
};

Nonzeros nonzeros(In<int16_t, 3> levels, int64_t rows, int64_t columns) {
    Nonzeros found;
    found.blocks.reserve((size_t)(rows * columns));
    for (int64_t row = 0; row < rows; row++)
        for (int64_t column = 0; column < columns; column++) {
            const int16_t* block = levels.data() + (row * (int64_t)levels.shape(1) + column) * 64;
            const uint64_t places = nonzero_places(block) & ~1ull;
            found.blocks.push_back({places, found.levels.size()});
            for (uint64_t left = places; left; left &= left - 1) {
                const int k = std::countr_zero(left);
                ac_size(block[k]);
                found.levels.push_back({block[k], (uint8_t)k});
            }
        }
    return found;
}

// Those of at least this magnitude.
Nonzeros at_least(const Nonzeros& from, int magnitude) {
    Nonzeros found;
    found.blocks.reserve(from.blocks.size());
    for (const Block& block : from.blocks) {
        const Level* level = from.levels.data() + block.first;
        Block kept = {0, found.levels.size()};
        for (const Level* last = level + std::popcount(block.places); level < last; level++)
            if (std::abs(level->value) >= magnitude) {
                kept.places |= 1ull << level->place;
                found.levels.push_back(*level);
            }
        found.blocks.push_back(kept);
    }
    return found;
}

// An end-of-band run that is not coded yet, with the correction bits of its blocks; the bits of
// the block under way follow them in the same store (T.81, G.1.2.3).
class EndOfBand {
   public:
    static constexpr int kLongest = 0x7fff;
    // Decoders may rely on encoders that hold at most so many correction bits back, as libjpeg does.
    static constexpr int kMostBits = 1000;

    template <class Sink>
    void flush(Sink& sink) {
        if (run_) {
            const int size = bit_size(run_) - 1;
            sink.symbol(size << 4, (uint32_t)run_, size);
            sink.corrections(bits_.data(), held_);
        }
        if (held_) std::copy(bits_.data() + held_, bits_.data() + held_ + own_, bits_.data());
        run_ = held_ = 0;
    }

    template <class Sink>
    void end_block(Sink& sink) {
        run_++;
        held_ += own_;
        own_ = 0;
        if (run_ == kLongest || held_ > kMostBits - 63) flush(sink);
    }

    void correction(int bit) { bits_[(size_t)(held_ + own_++)] = (uint8_t)bit; }

    template <class Sink>
    void flush_own(Sink& sink) {
        sink.corrections(bits_.data() + held_, own_);
        own_ = 0;
    }

    bool own() const { return own_; }

   private:
    int run_ = 0, held_ = 0, own_ = 0;
    std::array<uint8_t, kMostBits> bits_;
};

class SparseLevels {
   public:
    SparseLevels(In<int16_t, 3> levels, int64_t rows, int64_t columns) {
        require(levels.shape(2) == 64, "levels must be (rows, columns, 64)");
        require(0 <= rows && rows <= (int64_t)levels.shape(0) && 0 <= columns &&
                    columns <= (int64_t)levels.shape(1),
                "the component's blocks must lie inside the array");
        nb::gil_scoped_release release;
        by_low_[0] = nonzeros(levels, rows, columns);
        for (size_t low = 1; low < by_low_.size(); low++) by_low_[low] = at_least(by_low_[low - 1], 1 << low);
    }

    int64_t count(int begin, int end, int low, bool refine, Out<int64_t, 1> counts) const {
        require(counts.shape(0) == 256, "counts must hold 256 values");
        Counter counter{counts.data()};
        walk(begin, end, low, refine, counter);
        return counter.raw_bits;
    }

    nb::bytes write(int begin, int end, int low, bool refine, In<uint16_t, 1> words,
                    In<uint8_t, 1> sizes) const {
        require(words.shape(0) == 256 && sizes.shape(0) == 256, "a code has 256 words and sizes");
        BitWriter out;
        {
            nb::gil_scoped_release release;
            Writer writer{&out, {words.data(), sizes.data()}};
            walk(begin, end, low, refine, writer);
        }
        return out.finish();
    }

   private:
    template <class Sink>
    void walk(int begin, int end, int low, bool refine, Sink& sink) const {
        require(1 <= begin && begin <= end && end <= 63, "the band must lie in 1..63");
        require(0 <= low && low <= 13, "low must lie in 0..13");
        const Nonzeros& from = by_low_[std::min((size_t)low, by_low_.size() - 1)];
        const uint64_t below = (1ull << begin) - 1, band = ~below & (~0ull >> (63 - end));
        EndOfBand pending;
        for (const Block& block : from.blocks) {
            const uint64_t places = block.places & band;
            const Level* level = from.levels.data() + block.first + std::popcount(block.places & below);
            const Level* last = level + std::popcount(places);
            if (!places)
                pending.end_block(sink);
            else if (refine)
                refine_block(level, last, begin, end, low, pending, sink);
            else
                first_block(level, last, begin, end, low, pending, sink);
        }
        pending.flush(sink);
    }

    // First pass of a band (T.81, G.1.2.2).
    template <class Sink>
    static void first_block(const Level* level, const Level* last, int begin, int end, int low,
                            EndOfBand& pending, Sink& sink) {
        int before = begin - 1;
        for (; level < last; level++) {
            const int magnitude = std::abs(level->value) >> low;
            if (magnitude == 0) continue;
            pending.flush(sink);
            int run = level->place - before - 1;
            for (; run > 15; run -= 16) sink.symbol(0xf0);
            const int size = bit_size(magnitude);
            sink.symbol(run << 4 | size, magnitude_bits(level->value < 0 ? -magnitude : magnitude), size);
            before = level->place;
        }
        if (before < end) pending.end_block(sink);
    }

    // Refinement by one bit (T.81, G.1.2.3).
    template <class Sink>
    static void refine_block(const Level* level, const Level* last, int begin, int end, int low,
                             EndOfBand& pending, Sink& sink) {
        const Level* after_new = last;  // past the last level that becomes nonzero in this pass
        while (after_new > level && std::abs(after_new[-1].value) >> low != 1) after_new--;
        int run = 0, before = begin - 1;
        for (; level < last; level++) {
            const int magnitude = std::abs(level->value) >> low;
            if (magnitude == 0) continue;
            run += level->place - before - 1;
            before = level->place;
            for (; run > 15 && level < after_new; run -= 16) {
                pending.flush(sink);
                sink.symbol(0xf0);
                pending.flush_own(sink);
            }
            if (magnitude > 1) {
                pending.correction(magnitude & 1);
                continue;
            }
            pending.flush(sink);
            sink.symbol(run << 4 | 1, level->value > 0, 1);
            pending.flush_own(sink);
            run = 0;
        }
        if (run || before < end || pending.own()) pending.end_block(sink);
    }

    std::array<Nonzeros, 4> by_low_;  // of magnitude 1, 2, 4, 8 and more
};

// ---- DC and baseline scans, in the order given -----------------------------------------------

using Components = std::vector<In<int16_t, 3>>;

// Blocks of a scan in their order: component and block index.
struct Sequence {
    In<uint8_t, 1> component;
    In<int32_t, 1> block;

    void check(const Components& levels) const {
        require(component.shape(0) == block.shape(0), "components and blocks must pair up");
        require(levels.size() <= 4, "at most four components");
        for (const auto& array : levels) require(array.shape(2) == 64, "levels must be (rows, columns, 64)");
        for (size_t i = 0; i < component.shape(0); i++) {
            const uint8_t c = component.data()[i];
            require(c < levels.size(), "a component is out of range");
            const int32_t b = block.data()[i];
            require(0 <= b && (size_t)b * 64 < levels[c].size(), "a block is out of range");
        }
    }

    // visit(component, its levels) for each block.
    template <class Visit>
    void each(const Components& levels, Visit visit) const {
        std::array<const int16_t*, 4> data = {};
        for (size_t c = 0; c < levels.size(); c++) data[c] = levels[c].data();
        for (size_t i = 0; i < component.shape(0); i++) {
            const uint8_t c = component.data()[i];
            visit(c, data[c] + (size_t)block.data()[i] * 64);
        }
    }
};

struct Codes {
    In<uint16_t, 2> words;  // (tables, 256)
    In<uint8_t, 2> sizes;
    void check(size_t tables) const {
        require(words.shape(0) >= tables && sizes.shape(0) >= tables && words.shape(1) == 256 &&
                    sizes.shape(1) == 256,
                "a code has 256 words and sizes");
    }
    Code of(size_t table) const { return {words.data() + 256 * table, sizes.data() + 256 * table}; }
};

// DC levels as differences, the point transform an arithmetic shift (T.81, F.1.2.1 and G.1.2.1).
class Differences {
   public:
    template <class Sink>
    void code(uint8_t component, int level, Sink sink) {
        const int difference = level - before_[component], size = dc_size(difference);
        before_[component] = level;
        sink.symbol(size, magnitude_bits(difference), size);
    }

   private:
    std::array<int, 4> before_ = {};
};

// AC levels of a block in a baseline scan (T.81, F.1.2.2).
template <class Sink>
void code_ac(const int16_t* level, Sink sink) {
    int before = 0;
    for (uint64_t left = nonzero_places(level) & ~1ull; left; left &= left - 1) {
        const int k = std::countr_zero(left), size = ac_size(level[k]);
        int run = k - before - 1;
        for (; run > 15; run -= 16) sink.symbol(0xf0);
        sink.symbol(run << 4 | size, magnitude_bits(level[k]), size);
        before = k;
    }
    if (before < 63) sink.symbol(0);
}

// AC symbols of blocks as a baseline scan codes them.
void count_ac(In<int16_t, 3> levels, Out<int64_t, 1> counts) {
    require(levels.shape(2) == 64, "levels must be (rows, columns, 64)");
    require(counts.shape(0) == 256, "counts must hold 256 values");
    for (size_t block = 0; block < levels.size() / 64; block++)
        code_ac(levels.data() + block * 64, Counter{counts.data()});
}

// Bits of the AC levels of each block, as a baseline scan codes them.
void ac_block_bits(In<int16_t, 3> levels, In<uint8_t, 1> sizes, Out<float, 2> bits) {
    require(levels.shape(2) == 64, "levels must be (rows, columns, 64)");
    require(sizes.shape(0) == 256, "a code has 256 sizes");
    require(bits.shape(0) == levels.shape(0) && bits.shape(1) == levels.shape(1),
            "bits must hold a value for each block");
    for (size_t block = 0; block < bits.size(); block++) {
        int total = 0;
        code_ac(levels.data() + block * 64, Summer{sizes.data(), &total});
        bits.data()[block] = (float)total;
    }
}

// Symbols of a band as a progressive first pass codes it, end-of-band runs included. Returns how
// many blocks are empty, and how many others end before the band does.
nb::tuple count_band(In<int16_t, 3> levels, int64_t columns, int begin, int end,
                     Out<int64_t, 1> counts) {
    require(levels.shape(2) == 64, "levels must be (rows, columns, 64)");
    require(0 <= columns && columns <= (int64_t)levels.shape(1), "columns exceed the array");
    require(1 <= begin && begin <= end && end <= 63, "the band must lie in 1..63");
    require(counts.shape(0) == 256, "counts must hold 256 values");
    int64_t empty = 0, ended = 0;
    {
        nb::gil_scoped_release release;
        int run_of_ends = 0;
        const auto flush = [&] {
            if (run_of_ends) counts.data()[(bit_size(run_of_ends) - 1) << 4]++;
            run_of_ends = 0;
        };
        for (size_t row = 0; row < levels.shape(0); row++)
            for (int64_t column = 0; column < columns; column++) {
                const int16_t* level = levels.data() + (row * levels.shape(1) + (size_t)column) * 64;
                int before = begin - 1;
                for (int k = begin; k <= end; k++) {
                    if (!level[k]) continue;
                    flush();
                    int run = k - before - 1;
                    for (; run > 15; run -= 16) counts.data()[0xf0]++;
                    counts.data()[run << 4 | bit_size(std::abs(level[k]))]++;
                    before = k;
                }
                if (before == end) continue;
                (before < begin ? empty : ended)++;
                if (++run_of_ends == 0x7fff) flush();
            }
        flush();
    }
    return nb::make_tuple(empty, ended);
}

// counts: (components, 256).
void count_dc(const Components& levels, In<uint8_t, 1> component, In<int32_t, 1> block, int low,
              Out<int64_t, 2> counts) {
    const Sequence sequence{component, block};
    sequence.check(levels);
    require(0 <= low && low <= 13, "low must lie in 0..13");
    require(counts.shape(0) >= levels.size() && counts.shape(1) == 256, "counts must be (components, 256)");
    Differences differences;
    sequence.each(levels, [&](uint8_t c, const int16_t* level) {
        differences.code(c, level[0] >> low, Counter{counts.data() + 256 * c});
    });
}

// One table of codes by component.
nb::bytes write_dc(const Components& levels, In<uint8_t, 1> component, In<int32_t, 1> block, int low,
                   In<uint16_t, 2> words, In<uint8_t, 2> sizes) {
    const Sequence sequence{component, block};
    const Codes codes{words, sizes};
    BitWriter out;
    {
        nb::gil_scoped_release release;
        sequence.check(levels);
        codes.check(levels.size());
        require(0 <= low && low <= 13, "low must lie in 0..13");
        Differences differences;
        sequence.each(levels, [&](uint8_t c, const int16_t* level) {
            differences.code(c, level[0] >> low, Writer{&out, codes.of(c)});
        });
    }
    return out.finish();
}

nb::bytes write_dc_refinement(const Components& levels, In<uint8_t, 1> component,
                              In<int32_t, 1> block, int low) {
    const Sequence sequence{component, block};
    BitWriter out;
    {
        nb::gil_scoped_release release;
        sequence.check(levels);
        require(0 <= low && low <= 13, "low must lie in 0..13");
        sequence.each(levels, [&](uint8_t, const int16_t* level) { out.bits((uint32_t)(level[0] >> low), 1); });
    }
    return out.finish();
}

// A baseline scan: DC and AC of each block (T.81, F.1.2).
nb::bytes write_baseline(const Components& levels, In<uint8_t, 1> component, In<int32_t, 1> block,
                         In<uint16_t, 2> dc_words, In<uint8_t, 2> dc_sizes, In<uint16_t, 2> ac_words,
                         In<uint8_t, 2> ac_sizes) {
    const Sequence sequence{component, block};
    const Codes dc{dc_words, dc_sizes}, ac{ac_words, ac_sizes};
    BitWriter out;
    {
        nb::gil_scoped_release release;
        sequence.check(levels);
        dc.check(levels.size()), ac.check(levels.size());
        Differences differences;
        sequence.each(levels, [&](uint8_t c, const int16_t* level) {
            differences.code(c, level[0], Writer{&out, dc.of(c)});
            code_ac(level, Writer{&out, ac.of(c)});
        });
    }
    return out.finish();
}

// ---- tables -----------------------------------------------------------------------------------

// Lengths of an optimal prefix code for rising weights, each at most `limit` bits: package-merge
// (Larmore and Hirschberg, 1990). A row holds the weights themselves and, merged into their order,
// the pairs of the row before; of each row the cheapest items are taken.
std::vector<uint8_t> package_merge(const std::vector<int64_t>& weights, int limit) {
    const size_t n = weights.size(), most = 2 * n - 2;
    std::vector<int64_t> row, packages;
    std::vector<std::vector<uint8_t>> is_leaf((size_t)limit, std::vector<uint8_t>(most));
    for (auto& leaf : is_leaf) {
        packages.clear();
        for (size_t i = 0; i + 1 < row.size(); i += 2) packages.push_back(row[i] + row[i + 1]);
        row.assign(std::min(most, n + packages.size()), 0);
        for (size_t i = 0, w = 0, p = 0; i < row.size(); i++) {
            leaf[i] = p == packages.size() || (w < n && weights[w] <= packages[p]);
            row[i] = leaf[i] ? weights[w++] : packages[p++];
        }
    }
    std::vector<uint8_t> lengths(n, 0);
    size_t taken = most;
    for (size_t depth = is_leaf.size(); depth-- && taken;) {
        const auto& leaf = is_leaf[depth];
        const auto leaves = (size_t)std::count(leaf.begin(), leaf.begin() + (int64_t)taken, 1);
        for (size_t i = 0; i < leaves; i++) lengths[i]++;
        taken = 2 * (taken - leaves);
    }
    return lengths;
}

// Optimal lengths, at most `limit` bits, of a prefix code in which no word is all ones (T.81, K.2):
// a symbol of weight zero, the lightest and so among the longest, takes that word.
void code_lengths(In<int64_t, 1> counts, int limit, Out<uint8_t, 1> lengths) {
    require(counts.shape(0) == 256 && lengths.shape(0) == 256, "counts and lengths hold 256 values");
    require(9 <= limit && limit <= 32, "the limit must lie in 9..32 bits");
    std::vector<int> symbols;
    for (int s = 0; s < 256; s++) {
        lengths.data()[s] = 0;
        require(counts.data()[s] >= 0, "counts cannot be negative");
        if (counts.data()[s]) symbols.push_back(s);
    }
    if (symbols.empty()) return;
    std::stable_sort(symbols.begin(), symbols.end(),
                     [&](int a, int b) { return counts.data()[a] < counts.data()[b]; });
    std::vector<int64_t> weights = {0};
    for (const int s : symbols) weights.push_back(counts.data()[s]);
    const std::vector<uint8_t> found = package_merge(weights, limit);
    for (size_t i = 0; i < symbols.size(); i++) lengths.data()[symbols[i]] = found[i + 1];
}

}  // namespace

void bind_entropy(nb::module_& m) {
    nb::class_<SparseLevels>(m, "SparseLevels")
        .def(nb::init<In<int16_t, 3>, int64_t, int64_t>(), "levels"_a, "rows"_a, "columns"_a)
        .def("count", &SparseLevels::count, "begin"_a, "end"_a, "low"_a, "refine"_a, "counts"_a, Free())
        .def("write", &SparseLevels::write, "begin"_a, "end"_a, "low"_a, "refine"_a, "words"_a, "sizes"_a);
    m.def("count_ac", &count_ac, "levels"_a, "counts"_a, Free());
    m.def("ac_block_bits", &ac_block_bits, "levels"_a, "sizes"_a, "bits"_a, Free());
    m.def("count_band", &count_band, "levels"_a, "columns"_a, "begin"_a, "end"_a, "counts"_a);
    m.def("count_dc", &count_dc, "levels"_a, "component"_a, "block"_a, "low"_a, "counts"_a, Free());
    m.def("write_dc", &write_dc, "levels"_a, "component"_a, "block"_a, "low"_a, "words"_a, "sizes"_a);
    m.def("write_dc_refinement", &write_dc_refinement, "levels"_a, "component"_a, "block"_a, "low"_a);
    m.def("write_baseline", &write_baseline, "levels"_a, "component"_a, "block"_a, "dc_words"_a,
          "dc_sizes"_a, "ac_words"_a, "ac_sizes"_a);
    m.def("code_lengths", &code_lengths, "counts"_a, "limit"_a, "lengths"_a, Free());
}

}  // namespace gradpress
