// A TrainingControl service that trains nothing: its runs and events are what a test says. It keeps the promises that
// clients rely on (sequences, receipts, request ids), so that what clients do with them can be tested without a
// trainer.
//
//   FakeHouse house;
//   house.AddRun("digits");
//   FakeServer server(house, "unix:/tmp/x/socket");
//   house.AddLoss("digits", 1, 2.3);
#ifndef PILOTHOUSE_CLIENTS_CPP_TESTING_FAKE_SERVICE_H_
#define PILOTHOUSE_CLIENTS_CPP_TESTING_FAKE_SERVICE_H_

#include <grpcpp/server.h>

#include <memory>
#include <string>

#include "clients/cpp/testing/fake_house.h"

namespace pilothouse::client {

class FakeService;

// Serves a house from construction to destruction, which breaks all its calls. Another may then be made at the address.
class FakeServer {
 public:
  // `house` must outlive the server.
  FakeServer(FakeHouse& house, const std::string& address);
  ~FakeServer();

 private:
  FakeHouse& house_;
  std::unique_ptr<FakeService> service_;
  std::unique_ptr<grpc::Server> server_;
};

}  // namespace pilothouse::client

#endif  // PILOTHOUSE_CLIENTS_CPP_TESTING_FAKE_SERVICE_H_
