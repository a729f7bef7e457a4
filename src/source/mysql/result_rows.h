// Rows of a SELECT, read as a prepared statement: its binary form spares the server the writing of
// numbers and us their reading. Row by row from the wire, straight into cells.
#pragma once

#include <atomic>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "model/rows.h"
#include "source/mysql/columns.h"
#include "source/mysql/connection.h"

namespace biwa::mysql {

class ResultRows final : public RowReader {
  public:
    // Takes the connection back when all was read; one that broke off in the middle is closed.
    using GiveBack = std::function<void(std::optional<Connection>)>;

    // `doing`: for errors, "copying app.answers". Values that became NULL are counted in
    // `unrepresentable`, where there is one.
    static Result<std::unique_ptr<ResultRows>> Open(
        Connection connection, const std::string& sql, std::vector<ColumnDecoder> decoders,
        std::string doing, GiveBack give_back,
        std::atomic<std::uint64_t>* unrepresentable = nullptr);
    ~ResultRows() override;

    Result<std::size_t> Fill(RowBlock& block) override;

  private:
    struct StatementDeleter {
        void operator()(MYSQL_STMT* statement) const { mysql_stmt_close(statement); }
    };

    ResultRows(Connection connection, std::vector<ColumnDecoder> decoders, std::string doing,
               GiveBack give_back, std::atomic<std::uint64_t>* unrepresentable);
    Status Execute(const std::string& sql);
    Status CheckFields();
    Error StatementError() const;
    // False at the end.
    Result<bool> ReadRow(RowBlock& block, std::size_t row);

    std::optional<Connection> connection_;
    const std::vector<ColumnDecoder> decoders_;
    const std::string doing_;
    const GiveBack give_back_;
    std::atomic<std::uint64_t>* const unrepresentable_;
    std::unique_ptr<MYSQL_STMT, StatementDeleter> statement_;
    Arena arena_;
    DecodeContext context_;
    bool ended_ = false;
};

}  // namespace biwa::mysql
