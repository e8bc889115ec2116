"""Takes TLS off and passes what is in it to a server without TLS: for the versions that the server itself does not speak.

    tls_front.py LISTEN_IP LISTEN_PORT SERVER_IP SERVER_PORT CERTIFICATE KEY [alpn...]

With `alpn` it is a small web server instead, which answers one request with a page; with `only-tls1.3` it speaks nothing older.
"""

import socket
import ssl
import sys
import threading

PAGE = b"HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: 6\r\nConnection: close\r\n\r\nhello\n"


def pump(source, target):
    """One direction until it ends."""
    try:
        while data := source.recv(4096):
            target.sendall(data)
    except OSError:
        pass
    for end in (source, target):
        try:
            end.shutdown(socket.SHUT_RDWR)
        except OSError:
            pass


def serve(context, plain, server, web):
    try:
        client = context.wrap_socket(plain, server_side=True)
    except OSError:
        plain.close()
        return
    if web:
        client.recv(4096)
        client.sendall(PAGE)
        client.close()
        return
    behind = socket.create_connection(server)
    threading.Thread(target=pump, args=(client, behind), daemon=True).start()
    pump(behind, client)


def main(arguments):
    address, port, server, server_port, certificate, key, *alpn = arguments
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, key)
    if alpn == ["only-tls1.3"]:
        context.minimum_version = ssl.TLSVersion.TLSv1_3
        alpn = []
    if alpn:
        context.set_alpn_protocols(alpn)
    with socket.create_server((address, int(port))) as listener:
        while True:
            plain, _ = listener.accept()
            arguments = (context, plain, (server, int(server_port)), bool(alpn))
            threading.Thread(target=serve, args=arguments, daemon=True).start()


if __name__ == "__main__":
    main(sys.argv[1:])
