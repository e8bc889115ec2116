// A TURN server and a TURN client on pion/turn, for the pion samples. Debian: golang-go golang-github-pion-turn.v2-dev, then
//
//	GO111MODULE=off GOPATH=/usr/share/gocode go build -o pion-sample main.go
//	pion-sample server ADDRESS PUBLIC-ADDRESS REALM USER PASSWORD
//	pion-sample rest-server ADDRESS PUBLIC-ADDRESS REALM SHARED-SECRET
//	pion-sample client ADDRESS SERVER USER PASSWORD PEER
package main

import (
	"crypto/hmac"
	"crypto/sha1"
	"encoding/base64"
	"fmt"
	"log"
	"net"
	"os"
	"time"

	"github.com/pion/turn/v2"
)

func main() {
	arguments := os.Args[1:]
	switch {
	case len(arguments) == 6 && arguments[0] == "server":
		user, password := arguments[4], arguments[5]
		serve(arguments[1], arguments[2], arguments[3], func(name, realm string, _ net.Addr) ([]byte, bool) {
			return turn.GenerateAuthKey(user, realm, password), name == user
		})
	case len(arguments) == 5 && arguments[0] == "rest-server":
		serve(arguments[1], arguments[2], arguments[3], carelessly(arguments[4]))
	case len(arguments) == 6 && arguments[0] == "client":
		talk(arguments[1], arguments[2], arguments[3], arguments[4], arguments[5])
	default:
		log.Fatal("see the head of main.go")
	}
}

// carelessly takes time-limited credentials made from the secret, and never looks at their time: the mistake of the case.
func carelessly(secret string) turn.AuthHandler {
	return func(name, realm string, _ net.Addr) ([]byte, bool) {
		mac := hmac.New(sha1.New, []byte(secret))
		mac.Write([]byte(name))
		return turn.GenerateAuthKey(name, realm, base64.StdEncoding.EncodeToString(mac.Sum(nil))), true
	}
}

func serve(address, public, realm string, allowed turn.AuthHandler) {
	listener, err := net.ListenPacket("udp4", address+":3478")
	fatal(err)
	server, err := turn.NewServer(turn.ServerConfig{
		Realm:       realm,
		AuthHandler: allowed,
		PacketConnConfigs: []turn.PacketConnConfig{{
			PacketConn: listener,
			RelayAddressGenerator: &turn.RelayAddressGeneratorPortRange{
				RelayAddress: net.ParseIP(public), Address: address, MinPort: 24000, MaxPort: 29999,
			},
		}},
	})
	fatal(err)
	time.Sleep(2 * time.Minute)
	fatal(server.Close())
}

func talk(address, server, user, password, peer string) {
	socket, err := net.ListenPacket("udp4", address+":0")
	fatal(err)
	client, err := turn.NewClient(&turn.ClientConfig{
		STUNServerAddr: server, TURNServerAddr: server, Conn: socket, Username: user, Password: password,
	})
	fatal(err)
	defer client.Close()
	fatal(client.Listen())
	relay, err := client.Allocate()
	fatal(err)
	target, err := net.ResolveUDPAddr("udp4", peer)
	fatal(err)
	answer := make([]byte, 1500)
	for number := 0; number < 4; number++ {
		_, err = relay.WriteTo([]byte(fmt.Sprintf("over the relay %d", number)), target)
		fatal(err)
		fatal(relay.SetReadDeadline(time.Now().Add(time.Second)))
		_, _, err = relay.ReadFrom(answer)
		fatal(err)
		time.Sleep(200 * time.Millisecond)
	}
	fatal(relay.Close())
	time.Sleep(200 * time.Millisecond)
}

func fatal(err error) {
	if err != nil {
		log.Fatal(err)
	}
}
