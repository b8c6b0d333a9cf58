// Threads that a library starts take no signals: those are the program's, and its handlers run on its own threads.
#pragma once

#include <signal.h>

namespace kq {

// While it lives, this thread blocks every signal, and so will every thread that it starts, for good.  (sendfile(2) to a closed socket
// raises SIGPIPE and has no flag against it: on such a thread it is only noted.)
class SignalsBlocked {
 public:
  SignalsBlocked() {
    sigset_t all;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before_);
  }
  ~SignalsBlocked() { pthread_sigmask(SIG_SETMASK, &before_, nullptr); }
  SignalsBlocked(const SignalsBlocked&) = delete;

 private:
  sigset_t before_;
};

}  // namespace kq
