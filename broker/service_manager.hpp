// What a process tells the service manager that started it: sd_notify(3), without systemd's library.
#pragma once

#include <string_view>

namespace kq::broker {

// One datagram to $NOTIFY_SOCKET: "READY=1", "STOPPING=1".  Does nothing where there is no such socket, and never fails: a broker that
// cannot say how it is still serves.
void tell_service_manager(std::string_view state);

}  // namespace kq::broker
