#include "model/row_store.h"

#include <algorithm>
#include <functional>

#include "base/check.h"

namespace biwa {

namespace {
constexpr std::size_t kArenaBlockBytes = 64 << 10;
constexpr std::size_t kFirstRows = 64;

// Of an arena's blocks, one after another: 4 KiB, 8, 16, 32, and 64 from then on.
std::size_t BlockBytes(std::size_t number) {
    return kArenaBlockBytes >> (4 - std::min<std::size_t>(number, 4));
}

std::shared_ptr<std::byte[]> AllocateFrom(Slabs* slabs, std::size_t bytes) {
    if (slabs != nullptr && bytes >= Slabs::kPieceMin) return slabs->Allocate(bytes);
    return std::shared_ptr<std::byte[]>(new std::byte[bytes]);
}
}  // namespace

char* Arena::Allocate(std::size_t size) {
    if (size > kArenaBlockBytes / 4) {
        // A large value gets a block of its own, and what is left of the current one stays in use.
        large_.push_back(std::make_unique_for_overwrite<char[]>(size));
        bytes_ += size;
        return large_.back().get();
    }
    while (size > free_size_) {
        const auto bytes = BlockBytes(blocks_used_);
        if (blocks_used_ == blocks_.size()) blocks_.push_back(AllocateFrom(slabs_.get(), bytes));
        free_ = reinterpret_cast<char*>(blocks_[blocks_used_++].get());
        free_size_ = bytes;
        bytes_ += bytes;
    }
    char* const room = free_;
    free_ += size;
    free_size_ -= size;
    return room;
}

void Arena::Clear() {
    blocks_used_ = 0;
    large_.clear();
    kept_.clear();
    free_ = nullptr;
    free_size_ = 0;
    bytes_ = 0;
}

StringCell Arena::Copy(std::string_view text) {
    if (text.size() <= StringCell::kInlineMax) return StringCell::Of(text.data(), text.size());
    char* const room = Allocate(text.size());
    std::memcpy(room, text.data(), text.size());
    return StringCell::Of(room, text.size());
}

StringCell Arena::Keep(std::string_view text, const SharedBytes& from) {
    const std::less_equal<const char*> before;
    const bool is_inside = from.owner && before(from.bytes.data(), text.data()) &&
                           before(text.data() + text.size(), from.bytes.data() + from.bytes.size());
    const bool is_kept = !kept_.empty() && kept_.back() == from.owner;
    // A small part would hold on to all the rest.
    if (!is_inside || (!is_kept && text.size() < from.bytes.size() / 4)) return Copy(text);
    if (!is_kept) {
        kept_.push_back(from.owner);
        bytes_ += from.bytes.size();
    }
    return StringCell::Of(text.data(), text.size());
}

RowStore::RowStore(const std::vector<Column>& columns, std::size_t rows_expected,
                   std::shared_ptr<Slabs> slabs)
    : slabs_(std::move(slabs)), rows_expected_(rows_expected), arena_(slabs_) {
    for (const auto& column : columns) columns_.emplace_back().cells.type = column.type;
    Adopt();
}

RowStore::RowStore(RowStore&& other) noexcept
    : slabs_(other.slabs_),
      columns_(std::move(other.columns_)),
      rows_(std::exchange(other.rows_, 0)),
      capacity_(std::exchange(other.capacity_, 0)),
      rows_expected_(other.rows_expected_),
      arena_(std::move(other.arena_)) {
    other.columns_.clear();
    Adopt();
}

RowStore& RowStore::operator=(RowStore&& other) noexcept {
    slabs_ = other.slabs_;
    columns_ = std::move(other.columns_);
    other.columns_.clear();
    rows_ = std::exchange(other.rows_, 0);
    capacity_ = std::exchange(other.capacity_, 0);
    rows_expected_ = other.rows_expected_;
    arena_ = std::move(other.arena_);
    Adopt();
    return *this;
}

void RowStore::CutAt(std::size_t rows) {
    for (auto& column : columns_) {
        auto* const validity = column.cells.validity;
        if (validity == nullptr) continue;
        for (auto row = rows; row < rows_; ++row) {
            validity[row / 64] |= std::uint64_t{1} << (row % 64);
        }
    }
    rows_ = std::min(rows, rows_);
}

void RowStore::Retype(std::size_t column, Type type) {
    auto& storage = columns_[column];
    storage.cells.type = std::move(type);
    storage.cells.child = nullptr;
    storage.cells.child_size = 0;
    storage.child.reset();
    storage.size = capacity_ * CellBytes(storage.cells.type);
    storage.data = AllocateFrom(nullptr, storage.size);
    storage.cells.data = storage.data.get();
}

void RowStore::RemoveColumn(std::size_t column) {
    columns_.erase(columns_.begin() + static_cast<std::ptrdiff_t>(column));
}

std::size_t RowStore::bytes() const {
    std::size_t bytes = arena_.bytes();
    for (const auto& column : columns_) {
        for (const auto* storage = &column; storage != nullptr; storage = storage->child.get()) {
            bytes += storage->size + storage->validity.size() * 8;
        }
    }
    return bytes;
}

void RowStore::MakeValidity(Cells& cells) {
    auto& storage = StorageOf(cells);
    const auto size = storage.size / CellBytes(cells.type);
    storage.validity.assign((size + 63) / 64, ~std::uint64_t{0});
    cells.validity = storage.validity.data();
}

Cells& RowStore::GrowChild(Cells& cells, std::size_t size) {
    auto& storage = StorageOf(cells);
    if (!storage.child) {
        storage.child = std::make_unique<Storage>();
        storage.child->cells.type = *cells.type.element;
        storage.child->cells.owner = this;
        cells.child = &storage.child->cells;
    }
    auto& child = *storage.child;
    const auto room = child.size / CellBytes(child.cells.type);
    if (size > room) Resize(child, std::max(size, room * 2));
    cells.child_size = size;
    return child.cells;
}

void RowStore::Resize(Storage& storage, std::size_t cells) {
    const auto size = cells * CellBytes(storage.cells.type);
    auto data = AllocateFrom(slabs_.get(), size);
    if (storage.size > 0) std::memcpy(data.get(), storage.data.get(), storage.size);
    storage.data = std::move(data);
    storage.size = size;
    storage.cells.data = storage.data.get();
    if (storage.cells.validity != nullptr) {
        storage.validity.resize((cells + 63) / 64, ~std::uint64_t{0});
        storage.cells.validity = storage.validity.data();
    }
}

RowStore::Storage& RowStore::StorageOf(Cells& cells) {
    for (auto& column : columns_) {
        for (auto* storage = &column; storage != nullptr; storage = storage->child.get()) {
            if (&storage->cells == &cells) return *storage;
        }
    }
    BIWA_CHECK(false);
    return columns_.front();
}

void RowStore::Grow() {
    capacity_ = capacity_ == 0 ? std::max(kFirstRows, rows_expected_) : capacity_ * 2;
    for (auto& column : columns_) Resize(column, capacity_);
}

void RowStore::Adopt() {
    for (auto& column : columns_) {
        for (auto* storage = &column; storage != nullptr; storage = storage->child.get()) {
            storage->cells.owner = this;
        }
    }
}

void CopyCell(const Cells& from, std::size_t from_row, Cells& to, std::size_t to_row) {
    if (from.IsNull(from_row)) {
        to.SetNull(to_row);
        return;
    }
    if (from.type.id == TypeId::kList) {
        const auto list = from.Get<ListCell>(from_row);
        const auto begin = to.child_size;
        auto& child = to.owner->GrowChild(to, begin + list.length);
        for (std::size_t i = 0; i < list.length; ++i) {
            CopyCell(*from.child, list.offset + i, child, begin + i);
        }
        to.Set(to_row, ListCell{begin, list.length});
        return;
    }
    const auto bytes = CellBytes(from.type);
    std::memcpy(to.data + to_row * bytes, from.data + from_row * bytes, bytes);
}

void CopyRun(const Cells& from, std::size_t from_row, std::size_t count, Cells& to,
             std::size_t to_row) {
    if (from.type.id == TypeId::kList) {
        for (std::size_t i = 0; i < count; ++i) CopyCell(from, from_row + i, to, to_row + i);
        return;
    }
    const auto bytes = CellBytes(from.type);
    std::memcpy(to.data + to_row * bytes, from.data + from_row * bytes, count * bytes);
    if (from.validity == nullptr) return;
    for (std::size_t i = 0; i < count; ++i) {
        if (from.IsNull(from_row + i)) to.SetNull(to_row + i);
    }
}

}  // namespace biwa
