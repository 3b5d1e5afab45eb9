// Entropy coding of levels: symbols are walked once by the same code whether they are counted or
// written, so an estimate and a file cannot differ (T.81, F.1.2 and G.1.2). All integer.
#include <nanobind/nanobind.h>
#include <nanobind/ndarray.h>
#include <nanobind/stl/vector.h>

#include <algorithm>
#include <cstdint>
#include <cstring>
#include <stdexcept>
#include <vector>

namespace nb = nanobind;
using namespace nb::literals;

namespace gradpress {
namespace {

template <class T, int N>
using In = nb::ndarray<const T, nb::ndim<N>, nb::c_contig, nb::device::cpu>;
template <class T, int N>
using Out = nb::ndarray<T, nb::ndim<N>, nb::c_contig, nb::device::cpu>;
using Free = nb::call_guard<nb::gil_scoped_release>;

void require(bool condition, const char* what) {
    if (!condition) throw std::invalid_argument(what);
}

int bit_size(int magnitude) {
    int size = 0;
    while (magnitude >> size) size++;
    return size;
}

// ---- where symbols go ----------------------------------------------------------------------

struct Counter {
    int64_t* counts;
    int64_t raw_bits = 0;
    void symbol(int s) { counts[s]++; }
    void bits(uint32_t, int size) { raw_bits += size; }
};

struct Code {
    const uint16_t* word;  // (256,)
    const uint8_t* size;   // (256,), 0 for a symbol without a code
};

struct BitWriter {
    std::vector<uint8_t> bytes;
    uint64_t held = 0;
    int count = 0;

    void bits(uint32_t value, int size) {
        held = held << size | (value & ((1ull << size) - 1));
        count += size;
        while (count >= 8) {
            count -= 8;
            const uint8_t byte = (uint8_t)(held >> count);
            bytes.push_back(byte);
            if (byte == 0xff) bytes.push_back(0);
        }
    }
    void symbol(const Code& code, int s) {
        if (code.size[s] == 0) throw std::invalid_argument("a symbol has no code in its table");
        bits(code.word[s], code.size[s]);
    }
    nb::bytes finish() {
        if (count) bits(0x7f, 8 - count);  // filled with ones (T.81, F.1.2.3)
        return nb::bytes((const char*)bytes.data(), bytes.size());
    }
};

struct Writer {
    BitWriter* out;
    Code code;
    void symbol(int s) { out->symbol(code, s); }
    void bits(uint32_t value, int size) { out->bits(value, size); }
};

// The low bits that follow a (run, size) or DC symbol: negative values less one (T.81, F.1.2.1).
uint32_t magnitude_bits(int value) { return (uint32_t)(value < 0 ? value - 1 : value); }

// ---- one component's AC levels, nonzero ones only --------------------------------------------

class SparseLevels {
   public:
    SparseLevels(In<int16_t, 3> levels, long rows, long columns) {
        require(levels.shape(2) == 64, "levels must be (rows, columns, 64)");
        require(0 <= rows && rows <= (long)levels.shape(0) && 0 <= columns &&
                    columns <= (long)levels.shape(1),
                "the component's blocks must lie inside the array");
        nb::gil_scoped_release release;
        first_.reserve((size_t)(rows * columns) + 1);
        first_.push_back(0);
        for (long row = 0; row < rows; row++)
            for (long column = 0; column < columns; column++) {
                const int16_t* block = levels.data() + (row * (long)levels.shape(1) + column) * 64;
                for (int k = 1; k < 64; k++)
                    if (block[k]) {
                        if (block[k] > 1023 || block[k] < -1023)
                            throw std::invalid_argument("an AC level exceeds 10 bits");
                        place_.push_back((uint8_t)k), level_.push_back(block[k]);
                    }
                first_.push_back((uint32_t)place_.size());
            }
    }

    int64_t count(int begin, int end, int low, bool refine, Out<int64_t, 1> counts) const {
        check_band(begin, end, low);
        require(counts.shape(0) == 256, "counts must hold 256 values");
        Counter counter{counts.data()};
        refine ? walk_refine(begin, end, low, counter) : walk_first(begin, end, low, counter);
        return counter.raw_bits;
    }

    nb::bytes write(int begin, int end, int low, bool refine, In<uint16_t, 1> words,
                    In<uint8_t, 1> sizes) const {
        check_band(begin, end, low);
        require(words.shape(0) == 256 && sizes.shape(0) == 256, "a code has 256 words and sizes");
        BitWriter out;
        {
            nb::gil_scoped_release release;
            Writer writer{&out, {words.data(), sizes.data()}};
            refine ? walk_refine(begin, end, low, writer) : walk_first(begin, end, low, writer);
        }
        return out.finish();
    }

   private:
    static void check_band(int begin, int end, int low) {
        require(1 <= begin && begin <= end && end <= 63, "the band must lie in 1..63");
        require(0 <= low && low <= 13, "low must lie in 0..13");
    }

    // Pending end-of-band run, with the correction bits of its blocks (refinement only).
    struct Pending {
        int run = 0;
        std::vector<uint8_t> corrections;

        template <class Sink>
        void flush(Sink& sink) {
            if (run) {
                const int size = bit_size(run) - 1;
                sink.symbol(size << 4);
                sink.bits((uint32_t)run, size);
                run = 0;
            }
            for (const uint8_t bit : corrections) sink.bits(bit, 1);
            corrections.clear();
        }
    };

    // First pass of a band (T.81, G.1.2.2).
    template <class Sink>
    void walk_first(int begin, int end, int low, Sink& sink) const {
        Pending pending;
        for (size_t block = 0; block + 1 < first_.size(); block++) {
            int before = begin - 1;
            for (uint32_t i = first_[block]; i < first_[block + 1] && place_[i] <= end; i++) {
                if (place_[i] < begin) continue;
                const int level = level_[i], magnitude = (level < 0 ? -level : level) >> low;
                if (magnitude == 0) continue;
                if (pending.run) pending.flush(sink);
                int run = place_[i] - before - 1;
                for (; run > 15; run -= 16) sink.symbol(0xf0);
                const int size = bit_size(magnitude);
                sink.symbol(run << 4 | size);
                sink.bits(magnitude_bits(level < 0 ? -magnitude : magnitude), size);
                before = place_[i];
            }
            if (before < end && ++pending.run == 0x7fff) pending.flush(sink);
        }
        pending.flush(sink);
    }

    // Refinement by one bit (T.81, G.1.2.3).
    template <class Sink>
    void walk_refine(int begin, int end, int low, Sink& sink) const {
        Pending pending;
        std::vector<uint8_t> own;  // this block's correction bits since its last symbol
        for (size_t block = 0; block + 1 < first_.size(); block++) {
            const uint32_t from = first_[block], to = first_[block + 1];
            int last_new = 0;
            for (uint32_t i = from; i < to && place_[i] <= end; i++)
                if (magnitude_at(i) >> low == 1) last_new = place_[i];
            own.clear();
            int run = 0, before = begin - 1;
            for (uint32_t i = from; i < to && place_[i] <= end; i++) {
                if (place_[i] < begin) continue;
                const int magnitude = magnitude_at(i) >> low;
                if (magnitude == 0) continue;
                run += place_[i] - before - 1;
                before = place_[i];
                for (; run > 15 && place_[i] <= last_new; run -= 16) {
                    pending.flush(sink);
                    sink.symbol(0xf0);
                    drain(own, sink);
                }
                if (magnitude > 1) {
                    own.push_back((uint8_t)(magnitude & 1));
                    continue;
                }
                pending.flush(sink);
                sink.symbol(run << 4 | 1);
                sink.bits(level_[i] < 0 ? 0 : 1, 1);
                drain(own, sink);
                run = 0;
            }
            run += end - before;
            if (run || !own.empty()) {
                pending.run++;
                pending.corrections.insert(pending.corrections.end(), own.begin(), own.end());
                // Encoders buffer at most 1000 correction bits (libjpeg's bound, kept for decoders' sake).
                if (pending.run == 0x7fff || pending.corrections.size() > 1000 - 63) pending.flush(sink);
            }
        }
        pending.flush(sink);
    }

    template <class Sink>
    static void drain(std::vector<uint8_t>& bits, Sink& sink) {
        for (const uint8_t bit : bits) sink.bits(bit, 1);
        bits.clear();
    }

    int magnitude_at(uint32_t i) const { return level_[i] < 0 ? -level_[i] : level_[i]; }

    std::vector<uint32_t> first_;  // of each block, and one past the last
    std::vector<uint8_t> place_;   // zigzag position
    std::vector<int16_t> level_;
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
};

template <class Sinks>
void code_difference(Sinks& sinks, int difference) {
    const int size = bit_size(difference < 0 ? -difference : difference);
    sinks.symbol(size);
    sinks.bits(magnitude_bits(difference), size);
}

// counts: (components, 256). low: the point transform, an arithmetic shift (T.81, G.1.2.1).
void count_dc(const Components& levels, In<uint8_t, 1> component, In<int32_t, 1> block, int low,
              Out<int64_t, 2> counts) {
    Sequence{component, block}.check(levels);
    require(counts.shape(0) >= levels.size() && counts.shape(1) == 256, "counts must be (components, 256)");
    int before[4] = {0};
    for (size_t i = 0; i < component.shape(0); i++) {
        const uint8_t c = component.data()[i];
        const int level = levels[c].data()[(size_t)block.data()[i] * 64] >> low;
        Counter counter{counts.data() + 256 * c};
        code_difference(counter, level - before[c]);
        before[c] = level;
    }
}

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

// One table of codes by component.
nb::bytes write_dc(const Components& levels, In<uint8_t, 1> component, In<int32_t, 1> block, int low,
                   In<uint16_t, 2> words, In<uint8_t, 2> sizes) {
    Sequence{component, block}.check(levels);
    const Codes codes{words, sizes};
    codes.check(levels.size());
    BitWriter out;
    {
        nb::gil_scoped_release release;
        int before[4] = {0};
        for (size_t i = 0; i < component.shape(0); i++) {
            const uint8_t c = component.data()[i];
            const int level = levels[c].data()[(size_t)block.data()[i] * 64] >> low;
            Writer writer{&out, codes.of(c)};
            code_difference(writer, level - before[c]);
            before[c] = level;
        }
    }
    return out.finish();
}

nb::bytes write_dc_refinement(const Components& levels, In<uint8_t, 1> component,
                              In<int32_t, 1> block, int low) {
    Sequence{component, block}.check(levels);
    BitWriter out;
    for (size_t i = 0; i < component.shape(0); i++)
        out.bits((uint32_t)(levels[component.data()[i]].data()[(size_t)block.data()[i] * 64] >> low) & 1, 1);
    return out.finish();
}

// A baseline scan: DC and AC of each block (T.81, F.1.2).
nb::bytes write_baseline(const Components& levels, In<uint8_t, 1> component, In<int32_t, 1> block,
                         In<uint16_t, 2> dc_words, In<uint8_t, 2> dc_sizes, In<uint16_t, 2> ac_words,
                         In<uint8_t, 2> ac_sizes) {
    Sequence{component, block}.check(levels);
    const Codes dc{dc_words, dc_sizes}, ac{ac_words, ac_sizes};
    dc.check(levels.size()), ac.check(levels.size());
    BitWriter out;
    {
        nb::gil_scoped_release release;
        int before[4] = {0};
        for (size_t i = 0; i < component.shape(0); i++) {
            const uint8_t c = component.data()[i];
            const int16_t* level = levels[c].data() + (size_t)block.data()[i] * 64;
            Writer dc_writer{&out, dc.of(c)}, ac_writer{&out, ac.of(c)};
            code_difference(dc_writer, level[0] - before[c]);
            before[c] = level[0];
            int run = 0;
            for (int k = 1; k < 64; k++) {
                if (level[k] == 0) {
                    run++;
                    continue;
                }
                for (; run > 15; run -= 16) ac_writer.symbol(0xf0);
                const int size = bit_size(level[k] < 0 ? -level[k] : level[k]);
                if (size > 10) throw std::invalid_argument("an AC level exceeds 10 bits");
                ac_writer.symbol(run << 4 | size);
                ac_writer.bits(magnitude_bits(level[k]), size);
                run = 0;
            }
            if (run) ac_writer.symbol(0);
        }
    }
    return out.finish();
}

// AC symbols of blocks as a baseline scan codes them; for prices during the descent.
void count_ac(In<int16_t, 3> levels, Out<int64_t, 1> counts) {
    require(levels.shape(2) == 64, "levels must be (rows, columns, 64)");
    require(counts.shape(0) == 256, "counts must hold 256 values");
    for (size_t block = 0; block < levels.size() / 64; block++) {
        const int16_t* level = levels.data() + block * 64;
        int run = 0;
        for (int k = 1; k < 64; k++) {
            if (level[k] == 0) {
                run++;
                if (k % 4 == 3)  // four zeros at a time
                    for (uint64_t four = 0; k + 4 < 64; k += 4, run += 4) {
                        std::memcpy(&four, level + k + 1, sizeof four);
                        if (four) break;
                    }
                continue;
            }
            for (; run > 15; run -= 16) counts.data()[0xf0]++;
            const int size = bit_size(level[k] < 0 ? -level[k] : level[k]);
            if (size > 10) throw std::invalid_argument("an AC level exceeds 10 bits");
            counts.data()[run << 4 | size]++;
            run = 0;
        }
        if (run) counts.data()[0]++;
    }
}

// Optimal lengths, at most `limit` bits, of a prefix code in which no word is all ones (T.81, K.2):
// package-merge (Larmore and Hirschberg, 1990) over the symbols that occur and one of weight zero,
// which takes the all-ones word.
void code_lengths(In<int64_t, 1> counts, int limit, Out<uint8_t, 1> lengths) {
    require(counts.shape(0) == 256 && lengths.shape(0) == 256, "counts and lengths hold 256 values");
    require(9 <= limit && limit <= 32, "the limit must lie in 9..32 bits");
    std::vector<int> symbols = {-1};
    for (int s = 0; s < 256; s++) {
        lengths.data()[s] = 0;
        require(counts.data()[s] >= 0, "counts cannot be negative");
        if (counts.data()[s]) symbols.push_back(s);
    }
    const auto weight = [&](int s) { return s < 0 ? 0 : counts.data()[s]; };
    std::stable_sort(symbols.begin(), symbols.end(), [&](int a, int b) { return weight(a) < weight(b); });
    const size_t n = symbols.size();
    if (n < 2) return;

    struct Item {
        int64_t weight;
        bool leaf;
    };
    std::vector<std::vector<Item>> rows((size_t)limit);
    for (int depth = 0; depth < limit; depth++) {
        std::vector<Item> packages, &row = rows[(size_t)depth];
        if (depth)
            for (size_t i = 0; i + 1 < rows[(size_t)depth - 1].size(); i += 2)
                packages.push_back({rows[(size_t)depth - 1][i].weight + rows[(size_t)depth - 1][i + 1].weight, false});
        size_t p = 0;
        for (const int s : symbols) {
            while (p < packages.size() && packages[p].weight < weight(s)) row.push_back(packages[p++]);
            row.push_back({weight(s), true});
        }
        row.insert(row.end(), packages.begin() + (long)p, packages.end());
    }
    size_t taken = 2 * n - 2;
    std::vector<uint8_t> length(n, 0);
    for (int depth = limit - 1; depth >= 0 && taken; depth--) {
        size_t leaves = 0;
        for (size_t i = 0; i < taken; i++) leaves += rows[(size_t)depth][i].leaf;
        for (size_t i = 0; i < leaves; i++) length[i]++;
        taken = 2 * (taken - leaves);
    }
    for (size_t i = 0; i < n; i++)
        if (symbols[i] >= 0) lengths.data()[symbols[i]] = length[i];
}

}  // namespace

void bind_entropy(nb::module_& m) {
    nb::class_<SparseLevels>(m, "SparseLevels")
        .def(nb::init<In<int16_t, 3>, long, long>(), "levels"_a, "rows"_a, "columns"_a)
        .def("count", &SparseLevels::count, "begin"_a, "end"_a, "low"_a, "refine"_a, "counts"_a, Free())
        .def("write", &SparseLevels::write, "begin"_a, "end"_a, "low"_a, "refine"_a, "words"_a, "sizes"_a);
    m.def("count_ac", &count_ac, "levels"_a, "counts"_a, Free());
    m.def("count_dc", &count_dc, "levels"_a, "component"_a, "block"_a, "low"_a, "counts"_a, Free());
    m.def("write_dc", &write_dc, "levels"_a, "component"_a, "block"_a, "low"_a, "words"_a, "sizes"_a);
    m.def("write_dc_refinement", &write_dc_refinement, "levels"_a, "component"_a, "block"_a, "low"_a);
    m.def("write_baseline", &write_baseline, "levels"_a, "component"_a, "block"_a, "dc_words"_a,
          "dc_sizes"_a, "ac_words"_a, "ac_sizes"_a);
    m.def("code_lengths", &code_lengths, "counts"_a, "limit"_a, "lengths"_a, Free());
}

}  // namespace gradpress
