// A stream's publication and slot at a PostgreSQL server.
#pragma once

#include <memory>
#include <string>

#include "source/postgres/connection.h"
#include "source/source.h"

namespace biwa::postgres {

// "biwa_<stream>", in the letters that a slot's name may have.
std::string SlotName(const std::string& stream);
// Of the publication of tables whose inserts alone are followed; that of the others is called as
// the slot is.
std::string InsertsName(const std::string& stream);

// What a stream made at the server, as it is now.
struct StreamAtServer {
    std::string loss;             // why its changes are lost; empty: they are not
    std::string confirmed, head;  // positions of the slot, and of the server's log
};
Result<StreamAtServer> ReadStreamAtServer(const Connection& connection, const std::string& stream);

// `standby`: where copies are read; null: at the server itself.
Result<std::unique_ptr<StreamSource>> OpenStreamSource(const ConnectionParameters& parameters,
                                                       const ConnectionParameters* standby,
                                                       const std::string& stream,
                                                       const TableParts& only);

}  // namespace biwa::postgres
