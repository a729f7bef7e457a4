#include "query/arrow_columns.h"

#include <algorithm>
#include <limits>

#include "model/format.h"

namespace biwa {

namespace {

constexpr std::size_t kOffsetMax = std::numeric_limits<std::int32_t>::max();

// 10^38, the first number that Decimal128 has no room for by its declared precision.
constexpr Int128 kDecimalLimit{0x098a'2240'0000'0000U, 0x4b3b'4ca8'5a86'c47a};

bool FitsDecimal(Int128 value) {
    const bool negative = value.high < 0;
    auto low = value.low;
    auto high = static_cast<std::uint64_t>(value.high);
    if (negative) {
        low = ~low + 1;
        high = ~high + (low == 0 ? 1 : 0);
    }
    const auto limit_high = static_cast<std::uint64_t>(kDecimalLimit.high);
    return high < limit_high || (high == limit_high && low < kDecimalLimit.low);
}

bool HasOffsets(const Type& type) {
    return IsString(type) || type.id == TypeId::kInterval || type.id == TypeId::kUuid ||
           type.id == TypeId::kList;
}

}  // namespace

void Bitmap::Append(bool bit) {
    if (size_ % 8 == 0) bytes_.push_back(0);
    if (bit) bytes_.back() = static_cast<std::uint8_t>(bytes_.back() | 1U << (size_ % 8));
    ++size_;
}

void Bitmap::AppendMany(bool bit, std::size_t count) {
    for (; count > 0 && size_ % 8 != 0; --count) Append(bit);
    bytes_.insert(bytes_.end(), count / 8, bit ? 0xff : 0);
    size_ += count / 8 * 8;
    for (count %= 8; count > 0; --count) Append(bit);
}

ArrowColumn::ArrowColumn(Type type) : type_(std::move(type)) {
    if (HasOffsets(type_)) offsets_.push_back(0);
    if (type_.id == TypeId::kList) child_ = std::make_unique<ArrowColumn>(*type_.element);
}

Status ArrowColumn::Append(const Cells& cells, std::size_t first, std::size_t count) {
    if (cells.validity == nullptr) {
        validity_.AppendMany(true, count);
    } else {
        for (std::size_t row = first; row < first + count; ++row) {
            const bool is_null = cells.IsNull(row);
            validity_.Append(!is_null);
            null_count_ += is_null ? 1 : 0;
        }
    }
    length_ += count;
    return AppendValues(cells, first, count);
}

Status ArrowColumn::AppendValues(const Cells& cells, std::size_t first, std::size_t count) {
    switch (type_.id) {
        case TypeId::kBool:
            for (std::size_t row = first; row < first + count; ++row) {
                bits_.Append(!cells.IsNull(row) && cells.Get<std::uint8_t>(row) != 0);
            }
            return {};
        case TypeId::kInt128:
        case TypeId::kDecimal:
            for (std::size_t row = first; row < first + count; ++row) {
                BIWA_TRY(AppendWide(cells, row));
            }
            return {};
        case TypeId::kText:
        case TypeId::kBytes:
        case TypeId::kJson:
        case TypeId::kInterval:
        case TypeId::kUuid:
            for (std::size_t row = first; row < first + count; ++row) {
                BIWA_TRY(AppendString(cells, row));
            }
            return {};
        case TypeId::kList:
            for (std::size_t row = first; row < first + count; ++row) {
                if (!cells.IsNull(row)) {
                    const auto list = cells.Get<ListCell>(row);
                    if (child_->length() + list.length > kOffsetMax) {
                        return UserError(
                            "writing Arrow: the lists of a batch hold too many values");
                    }
                    if (list.length > 0) {
                        BIWA_TRY(child_->Append(*cells.child, list.offset, list.length));
                    }
                }
                offsets_.push_back(static_cast<std::int32_t>(child_->length()));
            }
            return {};
        default: {
            // Numbers, dates and times lie in Arrow as they lie here.
            const auto width = CellBytes(type_);
            const auto* const from = cells.data + first * width;
            data_.insert(data_.end(), from, from + count * width);
            return {};
        }
    }
}

Status ArrowColumn::AppendString(const Cells& cells, std::size_t row) {
    if (!cells.IsNull(row)) {
        std::string_view text;
        if (IsString(type_)) {
            text = cells.GetString(row);
        } else {
            text_.clear();
            AppendText(cells, row, text_);
            text = text_;
        }
        if (data_.size() + text.size() > kOffsetMax) {
            return UserError("writing Arrow: the texts of one batch are longer than 2 GiB",
                             "Select fewer or shorter columns, or ask for JSON or CSV.");
        }
        const auto* const bytes = reinterpret_cast<const std::byte*>(text.data());
        data_.insert(data_.end(), bytes, bytes + text.size());
    }
    offsets_.push_back(static_cast<std::int32_t>(data_.size()));
    return {};
}

Status ArrowColumn::AppendWide(const Cells& cells, std::size_t row) {
    const auto value = cells.IsNull(row) ? Int128{0, 0} : WholeNumber(cells, row);
    if (type_.id == TypeId::kInt128 && !FitsDecimal(value)) {
        return UserError("writing Arrow: a HUGEINT of more than 38 digits does not fit decimal128",
                         "Cast the column to VARCHAR or DOUBLE.");
    }
    const auto* const bytes = reinterpret_cast<const std::byte*>(&value);
    data_.insert(data_.end(), bytes, bytes + sizeof value);
    return {};
}

std::size_t ArrowColumn::bytes() const {
    return validity_.bytes().size() + bits_.bytes().size() + offsets_.size() * 4 + data_.size() +
           (child_ ? child_->bytes() : 0);
}

std::vector<ArrowColumn::Buffer> ArrowColumn::Buffers() const {
    std::vector<Buffer> buffers;
    const auto& valid = validity_.bytes();
    buffers.push_back({valid.data(), null_count_ == 0 ? 0 : valid.size()});
    if (!offsets_.empty()) buffers.push_back({offsets_.data(), offsets_.size() * 4});
    if (type_.id == TypeId::kBool) {
        buffers.push_back({bits_.bytes().data(), bits_.bytes().size()});
    } else if (type_.id != TypeId::kList) {
        buffers.push_back({data_.data(), data_.size()});
    }
    return buffers;
}

}  // namespace biwa
