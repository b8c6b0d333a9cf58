/* kq_broker_go.i: the embedded broker, for package ckqbroker: a program that only speaks to brokers does not link one. */
%module ckqbroker
%include "go.i"

HANDLE(kq_error, unsafe.Pointer)
HANDLE(kq_config, unsafe.Pointer)
HANDLE(kq_broker, Broker)

USE(kq_broker_start, Start)
USE(kq_broker_address, Address)
USE(kq_broker_failure, Failure)
USE(kq_broker_stop, Stop)
USE(kq_broker_free, Free)

%include "kq.i"

%insert(go_wrapper) %{
type Broker unsafe.Pointer
%}
