# Answers each request with its bytes in reverse order, until the request is "end".
use strict;
use warnings;
use NanoMsg::Raw;

my ($address) = @ARGV;
my $socket = nn_socket(AF_SP, NN_REP) // die "nn_socket: $!";
nn_bind($socket, $address) // die "nn_bind: $!";
while (1) {
    nn_recv($socket, my $request, 256) // die "nn_recv: $!";
    nn_send($socket, scalar reverse($request)) // die "nn_send: $!";
    last if $request eq 'end';
}
nn_close($socket) or die "nn_close: $!";
