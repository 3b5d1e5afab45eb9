#include "decode.h"

#include <array>
#include <cstring>
#include <memory>

namespace gradpress {
namespace {

// ---- bits --------------------------------------------------------------------------------------

// Bits of entropy-coded data, most significant first, without stuffed zeros and fill bytes. At a
// marker and behind the end there are zeros without end, and exhausted() tells.
class Bits {
   public:
    Bits(const uint8_t* data, int64_t size) : data_(data), size_(size) {}

    // At least 32 bits are at hand afterwards.
    void fill() {
        if (count_ >= 32) return;
        if (at_ + 4 <= size_) {
            const uint8_t* p = data_ + at_;
            const uint32_t word = (uint32_t)p[0] << 24 | (uint32_t)p[1] << 16 | (uint32_t)p[2] << 8 | p[3];
            const bool some_ff = (~word - 0x01010101u) & word & 0x80808080u;
            if (!some_ff && count_ >= 0) {
                held_ |= (uint64_t)word << (32 - count_);
                count_ += 32, at_ += 4, loaded_ += 32;
                return;
            }
        }
        fill_slowly();
    }

    uint32_t peek(int n) const { return (uint32_t)(held_ >> (64 - n)); }  // n in 1…32
    void skip(int n) { held_ <<= n, count_ -= n; }                        // n in 0…32
    uint32_t take(int n) {
        const uint32_t bits = peek(n);
        skip(n);
        return bits;
    }
    uint32_t take_one() {
        fill();
        return take(1);
    }

    // How many bits were taken since the beginning, without stuffed and dropped ones.
    int64_t taken() const { return loaded_ - count_; }

    // Whether more bits were taken than there are.
    bool exhausted() const { return count_ < 0; }

    // The byte of which bits are taken next, but for stuffed bytes that are held.
    int64_t offset() const { return at_ - (count_ > 0 ? count_ / 8 : 0); }

    // Drop what is left of the byte and what is held, and stand at the next marker or the end.
    // Returns how many bytes were passed over.
    int64_t to_marker() {
        int64_t passed = count_ > 0 ? count_ / 8 : 0;
        loaded_ -= count_;
        held_ = 0, count_ = 0;
        while (at_ < size_ && !at_marker()) {
            const bool stuffed = data_[at_] == 0xff && at_ + 1 < size_ && data_[at_ + 1] == 0;
            const bool fill = data_[at_] == 0xff && !stuffed;
            at_ += stuffed ? 2 : 1;
            passed += !fill;
        }
        return passed;
    }

    // Behind the marker where to_marker() stopped: its number, or -1 at the end.
    int take_restart() {
        if (at_ + 2 > size_) return -1;
        at_ += 2;
        return data_[at_ - 1] & 7;
    }

   private:
    bool at_marker() const {
        return at_ + 1 < size_ && data_[at_] == 0xff && data_[at_ + 1] != 0 && data_[at_ + 1] != 0xff;
    }

    void fill_slowly() {
        if (count_ < 0) return;
        while (count_ <= 56 && at_ < size_) {
            const uint8_t byte = data_[at_];
            int64_t width = 1;
            if (byte == 0xff) {
                const int after = at_ + 1 < size_ ? data_[at_ + 1] : -1;
                if (after == 0xff) {  // a fill byte
                    at_++;
                    continue;
                }
                if (after != 0) return;
                width = 2;
            }
            held_ |= (uint64_t)byte << (56 - count_);
            count_ += 8, at_ += width, loaded_ += 8;
        }
    }

    const uint8_t* data_;
    int64_t size_, at_ = 0, loaded_ = 0;
    uint64_t held_ = 0;  // left-aligned
    int count_ = 0;      // bits held; negative when some were taken that are not there
};

// The value of `size` bits behind a symbol (T.81, F.2.2.1); size in 1…15.
int extended(uint32_t bits, int size) {
    const int value = (int)bits;
    return value < 1 << (size - 1) ? value - (1 << size) + 1 : value;
}

// Says what bits were spent on.
class Meter {
   public:
    static constexpr int kEnds = 64;
    Meter(const Bits& bits, int64_t* spent) : bits_(bits), spent_(spent), before_(bits.taken()) {}
    void charge(int what) {
        if (!spent_) return;
        const int64_t now = bits_.taken();
        spent_[what] += now - before_;
        before_ = now;
    }

    // The bits not charged yet, to be charged later: other charges come first.
    int64_t set_aside() {
        const int64_t now = bits_.taken(), aside = now - before_;
        before_ = now;
        return aside;
    }
    void charge_later(int what, int64_t aside) {
        if (spent_) spent_[what < kEnds ? what : kEnds] += aside;
    }

   private:
    const Bits& bits_;
    int64_t* spent_;
    int64_t before_;
};

// ---- Huffman tables -----------------------------------------------------------------------------

// One lookup gives the symbols of short words, and with short words of AC symbols the level too.
class Table {
   public:
    static constexpr int kBits = 10;

    struct Entry {
        int16_t level;
        uint8_t symbol;
        uint8_t bits;  // of the word, with kWhole those of the level too; 0 for longer words
    };
    static constexpr uint8_t kWhole = 0x80;

    // Returns whether the words fit into their lengths (T.81, C.2).
    bool build(const HuffmanLists& lists, bool levels) {
        std::memcpy(symbols_.data(), lists.symbols, symbols_.size());
        uint32_t word = 0, index = 0;
        for (int size = 1; size <= 16; size++, word <<= 1) {
            const uint32_t count = lists.counts[size - 1];
            if (word + count > 1u << size || index + count > 256) return false;
            first_[(size_t)size] = (int32_t)index - (int32_t)word;
            if (size <= kBits)
                for (uint32_t i = 0; i < count; i++) fill(word + i, size, symbols_[index + i], levels);
            word += count, index += count;
            limit_[(size_t)size] = word << (16 - size);
        }
        return true;
    }

    // The next symbol, with a level if it has one; 32 bits must be at hand. Bits 0 if there is none.
    Entry next(Bits& bits) const {
        const Entry found = entries_[bits.peek(kBits)];
        if (found.bits) {
            bits.skip(found.bits & 0x7f);
            return found;
        }
        return next_long(bits);
    }

   private:
    void fill(uint32_t word, int size, uint8_t symbol, bool levels) {
        const int spare = kBits - size, level_bits = symbol & 15;
        for (uint32_t tail = 0; tail < 1u << spare; tail++) {
            Entry& entry = entries_[word << spare | tail];
            entry = {0, symbol, (uint8_t)size};
            if (levels && level_bits && level_bits <= spare) {
                entry.level = (int16_t)extended(tail >> (spare - level_bits), level_bits);
                entry.bits = (uint8_t)((size + level_bits) | kWhole);
            }
        }
    }

    Entry next_long(Bits& bits) const {
        const uint32_t ahead = bits.peek(16);
        for (int size = kBits + 1; size <= 16; size++)
            if (ahead < limit_[(size_t)size]) {
                bits.skip(size);
                const auto index = (size_t)(first_[(size_t)size] + (int32_t)(ahead >> (16 - size)));
                return {0, symbols_[index & 255], (uint8_t)size};
            }
        return {0, 0, 0};
    }

    std::array<Entry, 1 << kBits> entries_{};
    std::array<uint8_t, 256> symbols_{};
    std::array<uint32_t, 17> limit_{};  // first left-aligned word behind those of a length
    std::array<int32_t, 17> first_{};   // index of a symbol less its word
};

// ---- blocks -------------------------------------------------------------------------------------

// What is carried from block to block until a restart.
struct Carried {
    std::array<int, 4> dc = {};
    int end_of_band_run = 0;  // blocks, this one included
};

constexpr bool fits(int level) { return -32768 <= level && level <= 32767; }

Fault decode_dc(Bits& bits, const Table& table, int low, int& before, int16_t* block) {
    bits.fill();
    const Table::Entry found = table.next(bits);
    if (!found.bits) return Fault::code;
    if (found.symbol > 15) return Fault::size;
    const int size = found.symbol;
    if (size) before += extended(bits.take(size), size);
    const int level = before * (1 << low);
    if (!fits(before) || !fits(level)) return before = 0, Fault::range;
    block[0] = (int16_t)level;
    return Fault::none;
}

// AC levels of a sequential scan (T.81, F.2.2.2).
Fault decode_ac(Bits& bits, const Table& table, Meter& meter, int16_t* block) {
    for (int k = 1; k < 64; k++) {
        bits.fill();
        const Table::Entry found = table.next(bits);
        k += found.symbol >> 4;
        if (found.bits & Table::kWhole) {
            if (k > 63) return Fault::place;
            block[k] = found.level;
            meter.charge(k);
            continue;
        }
        if (!found.bits) return Fault::code;
        const int size = found.symbol & 15;
        if (!size) {
            if (found.symbol == 0xf0) continue;
            meter.charge(Meter::kEnds);
            return found.symbol ? Fault::size : Fault::none;
        }
        if (k > 63) return Fault::place;
        block[k] = (int16_t)extended(bits.take(size), size);
        meter.charge(k);
    }
    return Fault::none;
}

// How many blocks end here, this one included (T.81, G.1.2.2); run in 0…14.
int end_of_band(Bits& bits, int run) { return (1 << run) + (run ? (int)bits.take(run) : 0); }

// First pass of a band (T.81, G.1.2.2).
Fault decode_band(Bits& bits, const Table& table, const ScanPlan& plan, Meter& meter, int& ends, int16_t* block) {
    if (ends) return ends--, Fault::none;
    for (int k = plan.begin; k <= plan.end; k++) {
        bits.fill();
        const Table::Entry found = table.next(bits);
        if (!found.bits) return Fault::code;
        const int run = found.symbol >> 4, size = found.symbol & 15;
        if (!size && run < 15) {
            ends = end_of_band(bits, run) - 1;
            meter.charge(Meter::kEnds);
            break;
        }
        k += run;
        if (!size) continue;
        if (k > plan.end) return Fault::place;
        if (size + plan.low > 15) return Fault::range;
        const int level = found.bits & Table::kWhole ? found.level : extended(bits.take(size), size);
        block[k] = (int16_t)(level * (1 << plan.low));
        meter.charge(k);
    }
    return Fault::none;
}

// Corrects levels that are not 0 from k on, passing over `zeros` that are; returns where the next
// zero stands, or end + 1 (T.81, G.1.2.3).
int correct(Bits& bits, int k, int zeros, const ScanPlan& plan, Meter& meter, int16_t* block) {
    for (; k <= plan.end; k++) {
        if (!block[k]) {
            if (!zeros--) break;
            continue;
        }
        if (bits.take_one()) {
            const int step = block[k] > 0 ? 1 << plan.low : -(1 << plan.low);
            block[k] = (int16_t)(block[k] + step);
        }
        meter.charge(k);
    }
    return k;
}

// Refinement of a band by one bit (T.81, G.1.2.3).
Fault refine_band(Bits& bits, const Table& table, const ScanPlan& plan, Meter& meter, int& ends, int16_t* block) {
    int k = plan.begin;
    while (!ends && k <= plan.end) {
        bits.fill();
        const Table::Entry found = table.next(bits);
        if (!found.bits) return Fault::code;
        const int run = found.symbol >> 4, size = found.symbol & 15;
        if (size > 1) return Fault::size;
        if (!size && run < 15) {
            ends = end_of_band(bits, run);
            meter.charge(Meter::kEnds);
            break;
        }
        const int level = size && bits.take(1) ? 1 : -1;
        const int64_t word = meter.set_aside();
        k = correct(bits, k, run, plan, meter, block);
        meter.charge_later(k, word);
        if (size) {
            if (k > plan.end) return Fault::place;
            block[k] = (int16_t)(level * (1 << plan.low));
        }
        k++;
    }
    if (ends) {
        correct(bits, k, 64, plan, meter, block);
        ends--;
    }
    return Fault::none;
}

// ---- scans --------------------------------------------------------------------------------------

class Decoder {
   public:
    Decoder(const uint8_t* data, int64_t size, const ScanPlan& plan)
        : bits_(data, size),
          plan_(plan),
          columns_(plan.count == 1 ? plan.components[0].own_columns : plan.mcu_columns),
          units_(columns_ * (plan.count == 1 ? plan.components[0].own_rows : plan.mcu_rows)),
          interval_(plan.restart_interval ? plan.restart_interval : units_) {}

    Outcome run(bool salvage) {
        Outcome outcome = {Fault::none, 0, 0, units_, 0};
        if (!build()) {
            outcome.fault = Fault::table;
            return outcome;
        }
        for (int64_t unit = 0; unit < units_;) {
            const int64_t began = unit;
            Fault fault = interval(unit);
            outcome.units += unit - began;
            if (fault == Fault::none && unit < units_) fault = next_restart(unit);
            if (fault == Fault::none) continue;
            if (outcome.fault == Fault::none) outcome.fault = fault, outcome.offset = bits_.offset();
            if (!salvage || !resume(unit)) return outcome;
        }
        outcome.unused = bits_.to_marker();
        return outcome;
    }

   private:
    bool build() {
        const bool refines = plan_.progressive && plan_.high;
        tables_ = std::make_unique<Table[]>((size_t)plan_.table_count);
        for (int i = 0; i < plan_.table_count; i++)
            if (!tables_[(size_t)i].build(plan_.tables[i], plan_.end && !refines && codes_ac(i))) return false;
        return true;
    }

    bool codes_ac(int table) const {
        for (int i = 0; i < plan_.count; i++)
            if (plan_.components[i].ac == table) return true;
        return false;
    }

    // Decode from `unit` on to the next restart or the end.
    Fault interval(int64_t& unit) {
        carried_ = {};
        const int64_t end = interval_ < units_ - unit ? unit + interval_ : units_;
        for (; unit < end; unit++) {
            const Fault fault = plan_.count == 1 ? alone(unit) : interleaved(unit);
            if (bits_.exhausted()) return Fault::cut;
            if (fault != Fault::none) return fault;
        }
        return Fault::none;
    }

    // The marker before a unit: 0…7 in turn (T.81, B.2.1).
    Fault next_restart(int64_t unit) {
        bits_.to_marker();
        const int number = bits_.take_restart();
        if (number < 0) return Fault::cut;
        if (number == ((unit / interval_ - 1) & 7)) return Fault::none;
        met_ = number;
        return Fault::restart;
    }

    // Go on behind the next restart marker: its number tells which interval it opens.
    bool resume(int64_t& unit) {
        const bool met = met_ >= 0;  // the marker has been read: it may open an interval that begins here
        if (!met) bits_.to_marker();
        const int number = met ? met_ : bits_.take_restart();
        met_ = -1;
        if (number < 0) return false;
        const int64_t nearest = unit / interval_ + !met;
        const int64_t next = nearest + ((number - (nearest - 1)) & 7);
        if (next > (units_ - 1) / interval_) return false;
        unit = next * interval_;
        return true;
    }

    Fault alone(int64_t unit) {
        const ScanComponent& component = plan_.components[0];
        const int64_t block = unit / columns_ * component.columns + unit % columns_;
        return decode(0, component.levels + 64 * block);
    }

    Fault interleaved(int64_t unit) {
        const int64_t row = unit / columns_, column = unit % columns_;
        for (int i = 0; i < plan_.count; i++) {
            const ScanComponent& component = plan_.components[i];
            for (int y = 0; y < component.v; y++)
                for (int x = 0; x < component.h; x++) {
                    const int64_t block =
                        (row * component.v + y) * component.columns + column * component.h + x;
                    const Fault fault = decode(i, component.levels + 64 * block);
                    if (fault != Fault::none) return fault;
                }
        }
        return Fault::none;
    }

    Fault decode(int index, int16_t* block) {
        const ScanComponent& component = plan_.components[index];
        const auto dc = (size_t)component.dc, ac = (size_t)component.ac;
        Meter meter(bits_, component.spent);
        if (!plan_.progressive) {
            const Fault fault = decode_dc(bits_, tables_[dc], 0, carried_.dc[(size_t)index], block);
            meter.charge(0);
            return fault != Fault::none ? fault : decode_ac(bits_, tables_[ac], meter, block);
        }
        if (plan_.begin) {
            const auto band = plan_.high ? refine_band : decode_band;
            return band(bits_, tables_[ac], plan_, meter, carried_.end_of_band_run, block);
        }
        Fault fault = Fault::none;
        if (!plan_.high)
            fault = decode_dc(bits_, tables_[dc], plan_.low, carried_.dc[(size_t)index], block);
        else if (bits_.take_one())
            block[0] = (int16_t)(block[0] | 1 << plan_.low);
        meter.charge(0);
        return fault;
    }

    Bits bits_;
    const ScanPlan& plan_;
    int64_t columns_, units_, interval_;  // a unit is an MCU
    std::unique_ptr<Table[]> tables_;
    Carried carried_;
    int met_ = -1;  // number of a restart marker that is not the one expected
};

}  // namespace

Outcome decode_scan(const uint8_t* data, int64_t size, const ScanPlan& plan, bool salvage) {
    return Decoder(data, size, plan).run(salvage);
}

}  // namespace gradpress
